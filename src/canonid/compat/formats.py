"""The registry of the legacy formats, which the facades read texts with."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from canonid.compat.locking import ForkSafeLock
from canonid.compat.texts import names_a_part, read_uuid
from canonid.core import Registry

_lock = ForkSafeLock()


def legacy_registry(*, test_names: bool = False) -> Registry:
    """The formats of both legacy systems, with the test profile if wanted. Made once, in 0.3 to 0.5 s."""
    with _lock:  # so that threads which ask first wait for one of them
        return _load(test_names)


@cache
def _load(test_names: bool) -> Registry:
    names = ["registry.toml", "test-names.toml"] if test_names else ["registry.toml"]
    folder = files("canonid.compat")
    text = "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
    return Registry.from_toml(text, source=" + ".join(names))


def is_known(text: object, *others: Registry | None, test_names: bool) -> bool:
    """Whether a text is a UUID, or written in a format of the legacy systems or of the other registries.

    One that names a part of the WebSocket layer in its middle is, too, which no format can declare: such a
    name may stand in it twice.
    """
    if not isinstance(text, str):
        return False
    if read_uuid(text) or names_a_part(text):
        return True
    registries = (legacy_registry(test_names=test_names), *others)
    return any(registry.recognise(text).readings for registry in registries if registry is not None)
