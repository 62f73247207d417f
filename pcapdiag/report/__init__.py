"""What a person or a program reads. One file a format; nothing is computed here."""
