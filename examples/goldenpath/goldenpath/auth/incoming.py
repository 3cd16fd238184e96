"""What is asked of a request before anything else."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from fastapi import HTTPException
from starlette.requests import ClientDisconnect, Request

MAX_BODY = 16 * 1024


def refuse_others(request: Request, origins: Collection[str]) -> None:
    """Raises 403 for what a page of another site sends: browsers always name its origin in a POST."""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host')}"
    if request.method == "POST" and origin not in (None, own, *origins):
        raise HTTPException(HTTPStatus.FORBIDDEN, "pages of this origin may not call")


async def read_body(request: Request) -> bytes:
    """The body, which is read no further than MAX_BODY, whatever length was announced. Raises 413, 400."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} bytes")
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the request ended early") from None
    return bytes(body)
