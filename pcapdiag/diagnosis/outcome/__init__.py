"""Where it stopped, and how that is told from the messages."""
