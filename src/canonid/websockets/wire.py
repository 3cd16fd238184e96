"""Messages on the wire: one JSON object in one text frame, both ways."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from canonid.websockets.codes import Code, Refusal

Message = dict[str, Any]

PROTOCOL = "canonid.v1"


def encode(message: Mapping[str, Any], limit: int) -> str:
    """The message as ASCII JSON. Raises ValueError if it is no JSON object or has more than `limit` bytes."""
    if not isinstance(message, Mapping):
        raise ValueError(f"a message must be a JSON object, got {type(message).__name__}")
    try:
        text = _encode(message if isinstance(message, dict) else dict(message))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"a message must be JSON: {error}") from error
    if len(text) > limit:
        raise ValueError(
            f"a message of {len(text)} bytes was to be sent; the outbox holds {limit}, send it in parts"
        )
    return text


def decode(frame: Mapping[str, Any], limit: int) -> Message:
    """The JSON object in a `websocket.receive` event. Raises Refusal: 1009 if too big, else 1008."""
    text = frame.get("text")
    if text is None:
        raise Refusal("expected a text frame, got a binary one")
    if size(text) > limit:
        raise Refusal(f"a message may have {limit} bytes", Code.TOO_BIG, limit="max_message")
    try:
        message = _decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair passes for text until somebody stores or forwards it, and fails there.
        raise Refusal("expected text that can be encoded, got half a surrogate pair") from None
    except (ValueError, RecursionError):
        raise Refusal("expected a JSON object") from None
    if not isinstance(message, dict):
        raise Refusal("expected a JSON object")
    return message


def size(text: str) -> int:
    """Bytes of a text on the wire."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def text_field(message: Message, name: str) -> str:
    """A field that must be text. Raises Refusal (1008)."""
    value = message.get(name)
    if not isinstance(value, str):
        raise Refusal(f"{name} must be text")
    return value


def count_field(message: Message, name: str) -> int:
    """A field that must be a whole number from 0. Raises Refusal (1008)."""
    value = message.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refusal(f"{name} must be a whole number, 0 or more")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # passes for a number until somebody stores or forwards it, and fails there
        raise ValueError(f"{text} is too big")
    return number


# Made once: json.dumps and json.loads with options make a new one at each call.
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode
