"""Quart-Trio on Hypercorn: each message is relayed to everybody on its board."""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import suppress

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from quart import websocket
from quart_trio import QuartTrio

app = QuartTrio(__name__)
boards: dict[str, set[trio.MemorySendChannel[str]]] = defaultdict(set)


async def sending(messages: trio.MemoryReceiveChannel[str]) -> None:
    """One writer per connection, as the framework's broadcast example has it."""
    async for message in messages:
        await websocket.send(message)


@app.websocket("/ws/boards/<board_id>")
async def ws(board_id: str) -> None:
    """One member."""
    sender, receiver = trio.open_memory_channel[str](4096)
    members = boards[board_id]
    members.add(sender)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sending, receiver)
            while True:
                message = await websocket.receive()
                for member in list(members):
                    # Who does not read misses something.
                    with suppress(trio.WouldBlock):
                        member.send_nowait(message)
    finally:
        members.discard(sender)


config = Config()
config.bind = [f"127.0.0.1:{sys.argv[1]}"]
config.backlog = 4096
trio.run(serve, app, config)
