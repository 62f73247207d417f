"""Captures of one failure from several points on the path, joined: which packet is which, and what became of it."""
