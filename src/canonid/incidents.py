"""Errors of our own or the application's code: logged under an ID, which is all that a client is told."""

from __future__ import annotations

import logging

from canonid.core import system
from canonid.core.engine import ticking

_log = logging.getLogger("canonid")
_incidents = ticking("base32", "incident_", "", system.clock, system.entropy)


def report(error: BaseException, doing: str) -> str:
    """Log the error with its traceback; gives the incident's ID, to be found in the log."""
    incident = _incidents.mint()
    _log.error("%s: %s raised", incident, doing, exc_info=error)
    return incident
