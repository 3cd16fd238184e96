"""Live scopes across processes, on Valkey or Redis: the same contract as `canonid.scopes`, and leases."""

from canonid.scopes.valkey.effects import Effect, NotYet
from canonid.scopes.valkey.entries import SharedResource, SharedScope
from canonid.scopes.valkey.membership import Counts
from canonid.scopes.valkey.receipts import Receipt, Released
from canonid.scopes.valkey.tree import ValkeyTree

__all__ = ["Counts", "Effect", "NotYet", "Receipt", "Released", "SharedResource", "SharedScope", "ValkeyTree"]
