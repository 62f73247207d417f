"""Carving: the IKE of a capture, and nothing else, with the diagnosis beside it; anonymized for sending it away."""
