"""picows, on uvloop if there is one."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

try:
    from uvloop import run
except ImportError:
    from asyncio import run

boards: dict[bytes, set[WSTransport]] = defaultdict(set)


class Member(WSListener):
    """One member."""

    def __init__(self, request: WSUpgradeRequest) -> None:
        super().__init__()
        self.members = boards[bytes(request.path).partition(b"?")[0]]

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Come."""
        self.members.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Go."""
        self.members.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Relay."""
        if frame.msg_type == WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            for member in self.members:
                member.send(WSMsgType.TEXT, message)
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()


async def main() -> None:
    """Serve until stopped."""
    server = await ws_create_server(Member, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await asyncio.gather(server.serve_forever())


run(main())
