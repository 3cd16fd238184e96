"""The pure room: kinds, formats, the registry, minting, recognising, translating.

Standard library only; clock and entropy come in as arguments; no input or output.
"""

from canonid.core.overlaps import Overlap
from canonid.core.registry import Registry
from canonid.core.values import Format, Identity, Kind, Reading, Recognition, Service

__all__ = ["Format", "Identity", "Kind", "Overlap", "Reading", "Recognition", "Registry", "Service"]
