"""What happens to messages for a client that reads too slowly, by their type.

A type without a policy is never lost: where there is no room for it, the connection is closed with 1013.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class DropOldest:
    """Messages of this type make room for any other: the oldest queued one goes first.

    The client is told how many it missed: `{"type": "dropped", "of": …, "n": …}`, once it reads again.
    """


class Coalesce:
    """A message takes the place of a queued one of its type that has the same values in these fields.

    It is queued at the end: what a client receives is in the order in which it was sent.
    """

    def __init__(self, *fields: str) -> None:
        self.fields = fields


Policy = DropOldest | Coalesce


class Sheddable(NamedTuple):
    """An encoded message with a policy. `key` is what coalesces; without one the oldest is dropped."""

    text: str
    type: str
    key: str | None


class Backpressure:
    """The policies of a hub, by type of message."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        for type, policy in policies.items():
            if not isinstance(policy, Policy):
                raise TypeError(f"expected DropOldest() or Coalesce(…) for {type!r}, got {policy!r}")
        self._policies = dict(policies)

    def __bool__(self) -> bool:
        return bool(self._policies)

    def apply(self, message: Mapping[str, Any], text: str) -> str | Sheddable:
        """What to queue for a message that was encoded as `text`."""
        if not self._policies:
            return text
        name = message.get("type")
        match self._policies.get(name) if isinstance(name, str) else None:
            case Coalesce(fields=fields):
                return Sheddable(text, str(name), json.dumps([message.get(field) for field in fields]))
            case DropOldest():
                return Sheddable(text, str(name), None)
            case _:
                return text
