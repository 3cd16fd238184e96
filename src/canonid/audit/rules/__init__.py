"""The rules, by stable code. Each is a class with examples of what it finds and of what it leaves alone."""

from canonid.audit.rule import Rule
from canonid.audit.rules import (
    boundaries,
    broken,
    building,
    conflicts,
    files,
    handing,
    literals,
    minting,
    mixing,
    reading,
    suppressions,
    systems,
    weakness,
)

# Those that look at one module.
OF_MODULES = (
    *minting.RULES,
    *building.RULES,
    *literals.RULES,
    *weakness.RULES,
    *reading.RULES,
    *mixing.RULES,
)
# Those that look at all files together.
OF_REPOSITORIES = (*handing.RULES, *broken.RULES, *conflicts.RULES, *systems.RULES, *boundaries.RULES)
RULES: tuple[type[Rule], ...] = (files.BrokenFile, *suppressions.RULES, *OF_MODULES, *OF_REPOSITORIES)
BY_CODE = {rule.code: rule for rule in RULES}
