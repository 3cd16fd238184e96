"""A backplane in Valkey or Redis (7 or newer): `pip install 'canonid[valkey]'`."""

from canonid.errors import MissingExtra

try:
    import redis  # noqa: F401
except ImportError as error:
    raise MissingExtra("sharing WebSockets between processes needs: pip install 'canonid[valkey]'") from error

from canonid.websockets.valkey.backplane import ValkeyBackplane

__all__ = ["ValkeyBackplane"]
