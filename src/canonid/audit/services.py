"""Which service a file belongs to: services that are declared, or that the folders of a repository show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

GROUPS = frozenset({"services", "apps", "packages", "microservices"})
STARTS = re.compile(r"(?:(?:app|src)/)?(?:main|__main__|app|manage|wsgi|asgi|server|setup)\.py$")
NAMED = re.compile(r"(?:^|[_-])service$|^service[_-]")
NONE = frozenset(
    {
        "test",
        "tests",
        "testing",
        "doc",
        "docs",
        "example",
        "examples",
        "script",
        "scripts",
        "tool",
        "tools",
        "bin",
    }
    | {
        "benchmark",
        "benchmarks",
        "migrations",
        "dev",
        "ci",
        "e2e",
        "shared",
        "common",
        "lib",
        "libs",
        "vendor",
    }
    | {
        "contrib",
        "build",
        "packaging",
        "deploy",
        "templates",
        "integration_tests",
        "tutorials",
        "demo",
        "demos",
    }
)

ServiceOf = Callable[[str], str]  # from a path to the name of its service, or ""


def services_of(paths: Iterable[str], declared: Iterable[str] = ()) -> ServiceOf:
    """What tells the service of a file.

    A declared service is the folder of its name, at the top or in a folder such as `services/`. Where none is
    declared, those folders are taken, and the ones at the top that are started by themselves. One service
    alone is none: nothing crosses.
    """
    names = {plain(name) for name in declared}
    folders = set()
    for path in paths:
        first, _, rest = path.partition("/")
        second, _, inner = rest.partition("/")
        if first in GROUPS and inner:
            if not names or plain(second) in names:
                folders.add(f"{first}/{second}/")
        elif (
            rest
            and first not in NONE
            and (plain(first) in names if names else NAMED.search(first) or STARTS.match(rest))
        ):
            folders.add(f"{first}/")
    if len(folders) < 2:
        return lambda path: ""

    def service_of(path: str) -> str:
        first, second = (*path.split("/", 2), "", "")[:2]
        folder = f"{first}/{second}/" if first in GROUPS else f"{first}/"
        return folder.rstrip("/").rpartition("/")[2] if folder in folders else ""

    return service_of


def plain(name: str) -> str:
    """The name of a service as it is compared: a folder can't be called as every service can."""
    return name.lower().replace("-", "_")
