"""``websockets`` on asyncio, with its ``broadcast``, compression off."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, broadcast, serve

boards: dict[str, set[ServerConnection]] = defaultdict(set)


async def handler(websocket: ServerConnection) -> None:
    """One member."""
    assert websocket.request is not None
    members = boards[websocket.request.path.partition("?")[0]]
    members.add(websocket)
    try:
        async for message in websocket:
            broadcast(members, message)
    finally:
        members.discard(websocket)


async def main() -> None:
    """Serve until stopped."""
    port = int(sys.argv[1])
    async with serve(handler, "127.0.0.1", port, compression=None, backlog=4096) as server:
        await server.serve_forever()


asyncio.run(main())
