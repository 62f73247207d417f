"""What devices log of IKE: the lines that are known, readers of each format, and what a log says of an exchange."""
