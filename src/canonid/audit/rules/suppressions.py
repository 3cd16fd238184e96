"""Comments that hide findings. What they hide is only known when everything is found: see `suppressing`."""

from __future__ import annotations

from canonid.audit.rule import Rule


class NoReason(Rule):
    """A comment that is meant to hide something, and doesn't say which rule or why."""

    code = "CID002"
    title = "an ignore without a rule or a reason"
    category = "suppression"
    priority = "P2"
    why = "Who reads it later can't tell whether it is still right. Until it says why, it hides nothing."
    instead = "# canonid: ignore[CID101] the reason, in words"
    invalid = (
        "import uuid\nuser_id = uuid.uuid4()  # canonid: ignore[CID101]",
        "import uuid\nuser_id = uuid.uuid4()  # canonid: ignore",
    )
    valid = ("import uuid\nuser_id = uuid.uuid4()  # canonid: ignore[CID101] a fixture of the importer",)


class HidesNothing(Rule):
    """A comment that names a rule which finds nothing there."""

    code = "CID003"
    title = "an ignore that hides nothing"
    category = "suppression"
    priority = "P2"
    why = "It would hide the next finding at this place, which nobody has looked at."
    instead = "remove it, or the code that is not needed any more"
    invalid = ("total = 1 + 1  # canonid: ignore[CID101] was a UUID once",)
    valid = ("import uuid\nuser_id = uuid.uuid4()  # canonid: ignore[CID101] a fixture of the importer",)


RULES = (NoReason, HidesNothing)
