"""pycrdt-websocket on uvicorn (with uvloop); it keeps documents in memory."""

from __future__ import annotations

import asyncio
import sys

import uvicorn
import uvloop
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main() -> None:
    """Serve until stopped."""
    async with WebsocketServer() as rooms:
        config = uvicorn.Config(
            ASGIServer(rooms),
            host="127.0.0.1",
            port=int(sys.argv[1]),
            log_level="warning",
            ws_per_message_deflate=False,
            backlog=4096,
        )
        await uvicorn.Server(config).serve()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
