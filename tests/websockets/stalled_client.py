"""A client in a process of its own that is let in, watches a thread, and never reads again.

    python stalled_client.py PORT TICKET THREAD

Prints `watching` once it stops reading; ends when its standard input does.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main(port: str, ticket: str, thread: str) -> None:
    offered = ["canonid.v1", f"ticket.{ticket}"]
    client = await connect(
        f"ws://127.0.0.1:{port}/", subprotocols=offered, ping_interval=None, max_queue=1, proxy=None
    )
    await client.recv()
    await client.send(json.dumps({"type": "watch", "thread": thread}))
    await client.recv()
    client.transport.pause_reading()
    print("watching", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    client.transport.abort()


asyncio.run(main(*sys.argv[1:]))
