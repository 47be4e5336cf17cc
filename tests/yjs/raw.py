"""A client of Yjs that sends any bytes, for what no library would send."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import trio
from websockets.frames import Opcode

from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import read_entries
from presence_server.core.yjs.wire import MessageKind
from presence_server.server import ListeningAddress
from tests.server.raw import talk
from tests.transport.frames import Seen, close, frame
from tests.transport.gateway_kit import RawClient
from tests.yjs.stock import PATIENCE_S

Message = tuple[MessageKind, bytes]


class RawYjs:
    """One connection on the socket of y-websocket, or on that of a board; closed with the block.

    Args:
        client: the connection.
    """

    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._sending = trio.Lock()
        self.events: list[dict[str, object]] = []
        """The text messages that came."""

    async def __aenter__(self) -> RawYjs:
        return self

    async def __aexit__(self, *_: object) -> None:
        await trio.aclose_forcefully(self._client.stream)

    @classmethod
    async def open(
        cls,
        address: ListeningAddress,
        board: str,
        query: Mapping[str, str],
        *messages: bytes,
        path: str = "/yjs",
        receive_buffer: int | None = None,
    ) -> RawYjs:
        """Connect.

        Args:
            address: of the server.
            board: the board.
            query: of the URL.
            messages: what is sent with the upgrade.
            path: of the socket, without the board.
            receive_buffer: how many bytes the system takes for it while it does not read.
        """
        with trio.fail_after(PATIENCE_S):
            client = await talk(address, receive_buffer=receive_buffer)
            frames = b"".join(frame(Opcode.BINARY, message) for message in messages)
            await client.upgrade(f"{path}/{board}?{urlencode(query)}", frames)
        return cls(client)

    async def send(self, *messages: bytes) -> None:
        """Send messages of y-protocols."""
        async with self._sending:
            await self._client.send(*(frame(Opcode.BINARY, message) for message in messages))

    async def leave(self) -> None:
        """Close with 1000, and wait until the server has closed."""
        with trio.fail_after(PATIENCE_S):
            async with self._sending:
                await self._client.send(close())
            await self._client.rest()

    async def next(self) -> Message | None:
        """The next binary message; None at the end. Pings before it are answered."""
        with trio.fail_after(PATIENCE_S):
            while (seen := await self._frame()) is not None:
                if seen.opcode is Opcode.BINARY:
                    return wire.read_message(seen.data)
        return None

    async def _frame(self) -> Seen | None:
        """The next frame. An event in it is noted, and a ping answered."""
        seen = await self._client.frame()
        if seen is not None and seen.opcode is Opcode.TEXT:
            self.events.append(seen.event)
        elif seen is not None and seen.opcode is Opcode.PING:
            async with self._sending:
                await self._client.send(frame(Opcode.PONG, seen.data))
        return seen

    async def heard_stored(self, updates: int) -> None:
        """Read until the server has called so many updates stored, or more; for a page."""
        with trio.fail_after(PATIENCE_S):
            while not any(
                event["type"] == "document:stored" and int(str(event["updates"])) >= updates
                for event in self.events
            ):
                assert await self._frame() is not None, "the connection ended"

    async def heard(self, kind: MessageKind) -> bytes:
        """Read up to the next message of a kind; its payload."""
        with trio.fail_after(PATIENCE_S):
            while (message := await self.next()) is not None:
                if message[0] is kind:
                    return message[1]
        raise AssertionError("the connection ended")

    async def heard_state(self, client: int, clock: int) -> None:
        """Read until the server has sent a state of a client with this clock or a later one."""
        with trio.fail_after(PATIENCE_S):
            while True:
                entries = read_entries(await self.heard(MessageKind.AWARENESS))
                if any(e.client == client and e.clock >= clock for e in entries):
                    return
