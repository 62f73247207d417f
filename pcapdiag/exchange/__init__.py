"""Messages to exchanges: who said what, in which order, and where it stopped."""
