"""Captures of any length: each exchange is judged when nothing that comes can change it, told, and let go of."""
