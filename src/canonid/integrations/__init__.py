"""Canonid where it meets frameworks and other services."""

from canonid.integrations.boundary import Boundary
from canonid.integrations.crossing import Place, Refused

__all__ = ["Boundary", "Place", "Refused"]
