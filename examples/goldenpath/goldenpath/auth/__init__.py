"""Sign-up and log-in: names, passwords, sessions, and the tokens that the other services read."""

from .app import create_app
from .tokens import Claims, TokenError, Tokens

__all__ = ["Claims", "TokenError", "Tokens", "create_app"]
