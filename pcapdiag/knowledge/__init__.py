"""What is known beforehand: causes, states, commands, log lines, platforms."""
