"""Which texts a store can hold."""

from __future__ import annotations

from canonid.errors import InvalidId, StoreError, show

LONGEST = 512
NEVER = ""  # a key under which nothing is ever stored


def storable(text: object) -> bool:
    """Whether a text is visible ASCII and not too long."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= LONGEST
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def key(text: str) -> str:
    """What to look a text up by: itself, or a key that finds nothing."""
    return text if storable(text) else NEVER


def require_words(name: str, words: object) -> None:
    """Raises StoreError for a source or a note that SQLite can't keep."""
    if not isinstance(words, str):
        raise StoreError(f"expected a text as {name}=, got {type(words).__name__}")
    try:
        words.encode()
    except UnicodeEncodeError:
        raise StoreError(f"{name}= can't be stored: {show(words)} has half of a surrogate pair") from None


def require_storable(text: object) -> None:
    """Raises InvalidId for a text that is not storable."""
    if not storable(text):
        raise InvalidId(
            f"{show(text)} can't be an alias; expected 1 to {LONGEST} characters of visible ASCII", text=text
        )
