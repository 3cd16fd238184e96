"""Every test starts with facades that know nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from canonid import compat
from canonid.compat import id_migration_bridge, unified_id_manager
from canonid.compat.unified_id_generator import UnifiedIdGenerator


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(unified_id_manager, "_id_manager", None)
    monkeypatch.setattr(id_migration_bridge, "_bridge", None)
    UnifiedIdGenerator._active_sessions.clear()
    compat.forget()
    yield
    compat.forget()
    compat.configure(service="", warn=False, test_names=True, claims=100_000)
