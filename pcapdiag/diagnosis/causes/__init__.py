"""Why, and what to do about it: how the causes rank, what to check next, on which platform, what to ask."""
