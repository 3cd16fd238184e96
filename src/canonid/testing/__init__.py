"""For the tests of applications: a real server in a thread, and a client that holds a hub to its promises."""

from canonid.testing.client import Client, ClosedEarly
from canonid.testing.serving import serve
from canonid.testing.streams import StreamBroken, Streams

__all__ = ["Client", "ClosedEarly", "StreamBroken", "Streams", "serve"]
