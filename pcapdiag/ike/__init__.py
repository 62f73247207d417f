"""IKE as the RFCs define it: bytes to messages. No clock, no files, no opinions."""
