"""Errors of our own or the application's code: logged under an ID, which is all that a client is told."""

from __future__ import annotations

import logging

from canonid.core.minting import UUIDv7
from canonid.core.payload import to_base32

_log = logging.getLogger("canonid.websockets")
_uuid7 = UUIDv7()


def report(error: BaseException, doing: str) -> str:
    """Log the error with its traceback; gives the incident's ID, to be found in the log."""
    incident = f"incident_{to_base32(_uuid7())}"
    _log.error("%s: %s raised", incident, doing, exc_info=error)
    return incident
