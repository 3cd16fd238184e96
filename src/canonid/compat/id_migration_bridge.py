"""Stands in for the module of IdMigrationBridge, and for what the WebSocket layer had beside it.

Everything here goes by what a text names and by recorded lineage, never by likeness; docs/compat.md tells
what that changes. Questions about any value have an answer.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from canonid.compat import texts
from canonid.compat.formats import legacy_registry
from canonid.compat.locking import ForkSafeLock
from canonid.compat.state import called, state
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.errors import InvalidId, show

__all__ = [
    "IdFormat",
    "IdMigrationBridge",
    "IdTranslationResult",
    "cleanup_resources_by_pattern",
    "find_cleanup_matches",
    "find_matching_resources",
    "get_cleanup_priority",
    "get_migration_bridge",
    "normalize_connection_id",
    "normalize_for_cleanup",
    "validate_id_compatibility",
    "validate_resource_compatibility",
]

_M = TypeVar("_M", bound=Mapping[str, Any])

log = logging.getLogger("canonid.compat")

_CACHED = 10_000  # translations; being pure, they are kept for the statistics only
_LONGEST_CACHED = 512  # characters
_PRIORITIES = {"ssot": 100, "unknown": 10}
_LEGACY_PRIORITY = 50


class IdFormat(Enum):
    """How a text is written. A request counts as LEGACY_RUN: it has no member of its own."""

    SSOT = "ssot"
    LEGACY_THREAD = "legacy_thread"
    LEGACY_RUN = "legacy_run"
    WEBSOCKET_FACTORY = "websocket_factory"
    DATABASE_SESSION = "database_session"
    UNKNOWN = "unknown"


@dataclass
class IdTranslationResult:
    """A text in another format. `confidence_score` is 0 (unknown) to 1."""

    original_id: str
    translated_id: str
    format_detected: IdFormat
    translation_needed: bool
    confidence_score: float


class IdMigrationBridge:
    """Between the formats of the two systems. Thread-safe.

    >>> bridge = IdMigrationBridge()
    >>> bridge.translate_id("thread_chat_4_deadbeef").translated_id
    'thread_chat_0000000000000_4_deadbeef'
    >>> bridge.get_cleanup_key("thread_chat_0000000000000_4_deadbeef")
    'thread_chat_4_deadbeef'
    """

    def __init__(self) -> None:
        self.translation_cache: OrderedDict[str, IdTranslationResult] = OrderedDict()
        self.pattern_registry: dict[IdFormat, re.Pattern[str]] = {
            IdFormat.SSOT: re.compile(r".*_[0-9]{13}_[0-9]{1,12}(?:_[0-9a-f]{1,255})?"),
            IdFormat.LEGACY_THREAD: re.compile(r"thread_.*_[0-9]{1,12}_[0-9a-f]{8}"),
            IdFormat.LEGACY_RUN: re.compile(r"(?:run|req)_.*_[0-9]{1,12}_[0-9a-f]{8}"),
            IdFormat.WEBSOCKET_FACTORY: re.compile(r"websocket_factory_[0-9]{1,13}"),
            IdFormat.DATABASE_SESSION: re.compile(r"session_[0-9]{1,5}_[0-9a-f]{8}"),
        }
        self._lock = ForkSafeLock()
        self._translated: Counter[IdFormat] = Counter()

    def detect_id_format(self, text: str) -> tuple[IdFormat, float]:
        """The format, and how certain it is: canonical 1, legacy 0.9, WebSocket factory 0.8, unknown 0."""
        called("IdMigrationBridge.detect_id_format")
        return self._detect(text)

    def _detect(self, text: object) -> tuple[IdFormat, float]:
        if not isinstance(text, str) or not text or len(text) > texts.LONGEST:
            return IdFormat.UNKNOWN, 0.0
        for format_, pattern in self.pattern_registry.items():
            if pattern.fullmatch(text):
                return format_, _CERTAINTY.get(format_, 0.9)
        registry = state.lineage.registry or legacy_registry(test_names=state.test_names)
        canonical = registry.recognise(text).answer
        is_canonical = canonical is not None and canonical.canonical == text
        return (IdFormat.SSOT, 1.0) if is_canonical else (IdFormat.UNKNOWN, 0.0)

    def translate_id(self, text: str, target_format: IdFormat = IdFormat.SSOT) -> IdTranslationResult:
        """The same ID in generator format, or for another target as it was before; a pure function."""
        called("IdMigrationBridge.translate_id")
        return self._translate(text, target_format)

    def _translate(self, text: str, target: IdFormat = IdFormat.SSOT) -> IdTranslationResult:
        format_, certainty = self._detect(text)
        translated = text
        if isinstance(text, str):
            translated = texts.normalised(text) if target is IdFormat.SSOT else texts.original(text)
        result = IdTranslationResult(text, translated, format_, translated != text, certainty)
        with self._lock:
            self._translated[format_] += 1
            if isinstance(text, str) and len(text) <= _LONGEST_CACHED:
                self.translation_cache[text] = result
                self.translation_cache.move_to_end(text)
            while len(self.translation_cache) > _CACHED:
                self.translation_cache.popitem(last=False)
        return result

    def find_matching_ids(self, target: str, candidates: Iterable[str]) -> list[str]:
        """The candidates that name the same thing as the target or lie below it; the exact text first."""
        called("IdMigrationBridge.find_matching_ids")
        return _matching(target, candidates)

    def normalize_context_ids(self, user_id: str, thread_id: str, run_id: str) -> tuple[str, str, str]:
        """The thread and the run normalised, and a new request."""
        called("IdMigrationBridge.normalize_context_ids")
        return UnifiedIdGenerator.translate_legacy_context_ids(user_id, thread_id, run_id)

    def get_cleanup_key(self, text: str) -> str:
        """One key for all writings of a thing, and for that thing alone; "" for what is no ID."""
        called("IdMigrationBridge.get_cleanup_key")
        name = texts.key(text)
        if name is None:
            return ""
        identity = state.lineage.identity(name)
        return name if identity is None else identity.canonical

    def validate_migration_safety(self, legacy_ids: Iterable[str], ssot_ids: Iterable[str]) -> dict[str, Any]:
        """Whether each legacy ID can be read, has a counterpart, and shares it with no other.

        `safe_to_migrate`, `issues` in sentences, `translations` by legacy ID, `orphaned_resources` (legacy
        IDs without a counterpart), `duplicate_mappings` (writings of one thing, by their translation).
        """
        called("IdMigrationBridge.validate_migration_safety")
        targets = {texts.key(text) for text in _several(ssot_ids, "ssot_ids")}
        translations: dict[str, str] = {}
        writings: dict[str, list[str]] = {}
        orphans: list[str] = []
        issues: list[str] = []
        for text in dict.fromkeys(_several(legacy_ids, "legacy_ids")):
            result = self._translate(text)
            translations[text] = result.translated_id
            writings.setdefault(result.translated_id, []).append(text)
            if texts.key(text) not in targets:
                orphans.append(text)
                issues.append(f"{text!r:.80} has no counterpart among the new IDs")
            if result.format_detected is IdFormat.UNKNOWN:
                issues.append(f"{text!r:.80} is written in no known format")
        duplicates = {new: old for new, old in writings.items() if len(old) > 1}
        issues += [f"{new!r:.80} is what {len(old)} legacy IDs become" for new, old in duplicates.items()]
        return {
            "safe_to_migrate": not issues,
            "issues": issues,
            "translations": translations,
            "orphaned_resources": orphans,
            "duplicate_mappings": duplicates,
        }

    def get_translation_stats(self) -> dict[str, Any]:
        """`cache_size`, `format_distribution`, `translation_success_rate` (0 to 1), `total_translations`."""
        called("IdMigrationBridge.get_translation_stats")
        with self._lock:
            total = self._translated.total()
            known = total - self._translated[IdFormat.UNKNOWN]
            return {
                "cache_size": len(self.translation_cache),
                "format_distribution": {
                    format_.value: count for format_, count in self._translated.items() if count
                },
                "translation_success_rate": known / total if total else 0.0,
                "total_translations": total,
            }

    def clear_cache(self) -> None:
        """Forgets the translations and their counts."""
        called("IdMigrationBridge.clear_cache")
        with self._lock:
            self.translation_cache.clear()
            self._translated.clear()


_CERTAINTY = {IdFormat.SSOT: 1.0, IdFormat.WEBSOCKET_FACTORY: 0.8}


def _matching(target: object, candidates: Iterable[str]) -> list[str]:
    candidates = _several(candidates, "candidates")
    belongs = state.lineage.at_or_below(target)
    found = [candidate for candidate in candidates if belongs(candidate)]
    return sorted(found, key=lambda candidate: candidate != target)


def _several(ids: Iterable[str], what: str) -> Iterable[str]:
    """IDs that a caller gives; a single text is refused, for its characters would be taken for IDs."""
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise InvalidId(f"{what} is of type {type(ids).__name__}; expected several IDs", text=ids)
    return ids


# Functions of the module

_bridge: IdMigrationBridge | None = None
_lock = ForkSafeLock()


def get_migration_bridge() -> IdMigrationBridge:
    """The bridge of this process: the same object every time."""
    global _bridge
    called("id_migration_bridge.get_migration_bridge")
    with _lock:
        if _bridge is None:
            _bridge = IdMigrationBridge()
        return _bridge


def normalize_for_cleanup(text: str) -> str:
    """The key of a thing; see `IdMigrationBridge.get_cleanup_key`."""
    called("id_migration_bridge.normalize_for_cleanup")
    return get_migration_bridge().get_cleanup_key(text)


def find_cleanup_matches(target: str, candidates: Iterable[str]) -> list[str]:
    """See `IdMigrationBridge.find_matching_ids`."""
    called("id_migration_bridge.find_cleanup_matches")
    return get_migration_bridge().find_matching_ids(target, candidates)


def validate_id_compatibility(a: str, b: str) -> bool:
    """Whether the two name the same thing, or one of them lies below the other in recorded lineage."""
    called("id_migration_bridge.validate_id_compatibility")
    below = state.lineage.at_or_below
    return below(a)(b) or below(b)(a)


# For the WebSocket layer


def _mapping(value: _M, what: str) -> _M:
    if not isinstance(value, Mapping):
        raise InvalidId(f"{what} is of type {type(value).__name__}; expected a dict", text=value)
    return value


def find_matching_resources(target: str, pool: Mapping[str, Any]) -> list[str]:
    """The IDs in a pool that name the same thing as the target or lie below it; the exact text first."""
    called("id_migration_bridge.find_matching_resources")
    return _matching(target, pool)


def cleanup_resources_by_pattern(
    target: str,
    pools: Mapping[str, MutableMapping[str, Any]],
    logger_context: Mapping[str, Any] | None = None,
) -> int:
    """Removes from each pool what names the same thing as the target or lies below it; how many that were."""
    called("id_migration_bridge.cleanup_resources_by_pattern")
    belongs = state.lineage.at_or_below(target)
    removed = 0
    for pool in _mapping(pools, "pools").values():
        for text in [text for text in list(_mapping(pool, "a pool")) if belongs(text)]:
            pool.pop(text, None)
            removed += 1
    if not removed:
        state.count_unmatched()
    log.debug("%d resources of %s removed", removed, show(target), extra={"canonid_context": logger_context})
    return removed


def normalize_connection_id(connection_id: str, user_id: str) -> str:
    """The connection's ID in generator format; its user changes nothing about it."""
    called("id_migration_bridge.normalize_connection_id")
    return UnifiedIdGenerator.normalize_id_format(connection_id)


def validate_resource_compatibility(resource_id: str, context_ids: Any) -> bool:
    """Whether a resource is, or lies below, one of the context's IDs: a text, texts, or a dict of them."""
    called("id_migration_bridge.validate_resource_compatibility")
    given = context_ids.values() if isinstance(context_ids, Mapping) else context_ids
    given = [given] if isinstance(given, str) else given
    return isinstance(given, Iterable) and any(
        state.lineage.at_or_below(target)(resource_id) for target in given
    )


def get_cleanup_priority(text: str) -> int:
    """Canonical 100, legacy 50, unknown 10."""
    called("id_migration_bridge.get_cleanup_priority")
    format_, _ = get_migration_bridge().detect_id_format(text)
    return _PRIORITIES.get(format_.value, _LEGACY_PRIORITY)
