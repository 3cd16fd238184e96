"""The rules, by stable code. Each is a class with examples of what it finds and of what it leaves alone."""

from canonid.audit.rules import building, minting, mixing, reading, weakness

RULES = (*minting.RULES, *building.RULES, *weakness.RULES, *reading.RULES, *mixing.RULES)
