"""Bytes of a TLS client on their way to the process of its board, and back."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from presence_server.transport.gate.relay import relay

PATIENCE_S = 20.0


class Ends:
    """The ends of a relay: the client's, and that of the process of the board."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.client, tls = trio.testing.memory_stream_pair()
        ours, theirs = socket.socketpair()
        pair = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self.board = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        self.is_over = trio.Event()

        async def run() -> None:
            await relay(tls, pair)
            self.is_over.set()

        nursery.start_soon(run)


@pytest.fixture
async def ends(nursery: trio.Nursery) -> AsyncIterator[Ends]:
    found = Ends(nursery)
    yield found
    await found.board.aclose()
    await found.client.aclose()
    await found.is_over.wait()


async def read_all(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := await stream.receive_some(65536)):
        data += more
    return data


async def test_carries_both_ways(ends: Ends) -> None:
    with trio.fail_after(PATIENCE_S):
        await ends.client.send_all(b"from the client")
        assert await read_all(ends.board, 15) == b"from the client"
        await ends.board.send_all(b"from the board")
        assert await read_all(ends.client, 14) == b"from the board"


async def test_the_client_gets_the_last_bytes_and_the_end(ends: Ends) -> None:
    with trio.fail_after(PATIENCE_S):
        await ends.board.send_all(b"last" * 1000)
        await ends.board.send_eof()
        assert await read_all(ends.client, 10_000) == b"last" * 1000
        # What the client sends meanwhile, such as its close frame, still arrives.
        await ends.client.send_all(b"close")
        assert await read_all(ends.board, 5) == b"close"
        await ends.board.aclose()
        await ends.client.aclose()
        await ends.is_over.wait()


async def test_the_board_hears_the_end_of_the_client(ends: Ends) -> None:
    with trio.fail_after(PATIENCE_S):
        await ends.client.send_all(b"bye")
        await ends.client.aclose()
        assert await read_all(ends.board, 10) == b"bye"
        await ends.board.aclose()
        await ends.is_over.wait()
