"""The page and what a notebook shows."""
