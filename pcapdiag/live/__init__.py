"""Watching as it happens: what a source yields becomes events, by the same tracker and the same diagnosis."""
