"""Most files need no syntax tree."""

from __future__ import annotations


def needs_tree(data: bytes) -> bool:
    """Whether a rule could find something in the file."""
    return True
