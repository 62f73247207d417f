"""Carving: the IKE of a capture, and nothing else, with the diagnosis beside it; anonymized for sending it away."""

from pcapdiag.carve.carving import Carved, Carving, carve

__all__ = ["Carved", "Carving", "carve"]
