"""What the wire shows: facts, each with its frames."""
