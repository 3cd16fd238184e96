"""Live scopes: what is open now, who owns it, and its release, newest first.

A scope holds resources and child scopes; closing it releases exactly what is live at and below it.
"""

from canonid.scopes.contract import (
    Closed,
    Failure,
    LiveEntry,
    LiveScope,
    Release,
    Resolve,
    Snapshot,
    Stats,
    Tree,
)
from canonid.scopes.memory import Resource, Scope, ScopeTree

__all__ = [
    "Closed",
    "Failure",
    "LiveEntry",
    "LiveScope",
    "Release",
    "Resolve",
    "Resource",
    "Scope",
    "ScopeTree",
    "Snapshot",
    "Stats",
    "Tree",
]
