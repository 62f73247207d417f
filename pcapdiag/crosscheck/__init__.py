"""Our decoding against Wireshark's, message by message."""
