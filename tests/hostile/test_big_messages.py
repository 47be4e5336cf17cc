"""More than anybody may send, plain and compressed: refused for what it is, kept nowhere."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import pytest
import trio
from websockets.frames import Opcode

from benchmarks.subject import Subject
from presence_server.server import ListeningAddress
from tests.hostile.kit import MIB, Growth, joined, undisturbed
from tests.server.kit import PATIENCE_S
from tests.server.raw import talk
from tests.transport.frames import MASK, frame, text, upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

TOO_MUCH = text(b"x" * (65 * 1024))
CHUNK = text(b"x" * 60_000)


@pytest.fixture
async def server(subject: Subject) -> AsyncIterator[ListeningAddress]:
    address = ListeningAddress(subject.host, subject.port, "http")
    async with undisturbed(address, count=10):
        yield address


async def say_too_much(client: RawClient, more_bytes: int) -> int:
    """A message over the limit, then more, whatever the answer; how much of that was taken."""
    taken = 0
    async with client.stream:
        await client.send(TOO_MUCH)
        closing = await client.frame()
        assert closing is not None
        assert closing.close.code == 1009
        try:
            while taken < more_bytes:
                await client.send(CHUNK)
                taken += len(CHUNK)
            # Beyond what it may wait for our answer it takes no more, and the connection ends.
            while True:
                await client.send(CHUNK)
                await trio.sleep(0.05)
        except trio.BrokenResourceError:
            return taken


async def test_after_1009_what_still_comes_is_read_by_nobody_and_the_connection_ends(
    server: ListeningAddress, subject: Subject
) -> None:
    with trio.fail_after(PATIENCE_S):
        # The first of each is for what a process allocates once.
        await say_too_much(await joined(server, "mallory"), MIB)
        growth = Growth(subject.pid)
        await say_too_much(await joined(server, "mallory"), 64 * MIB)
    assert growth.peak_bytes < 5 * MIB


async def test_fragments_that_never_end_are_kept_up_to_the_limit_only(
    server: ListeningAddress, subject: Subject
) -> None:
    with trio.fail_after(PATIENCE_S):
        growth = Growth(subject.pid)
        for _ in range(5):
            client = await joined(server, "mallory")
            async with client.stream:
                await client.send(text(b"x" * 1000, fin=False))
                await client.send(frame(Opcode.CONT, b"x" * 1000, fin=False) * 70)
                assert await client.end() == 1009
    assert growth.peak_bytes < 5 * MIB


def bomb() -> bytes:
    """A compressed text frame of 64 KiB at most that would be 48 MiB."""
    deflate = zlib.compressobj(9, wbits=-15)
    data = deflate.compress(bytes(48 * MIB)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    data = data.removesuffix(b"\0\0\xff\xff")
    assert len(data) < 65536
    masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(data))
    return b"\xc1\xfe" + len(data).to_bytes(2, "big") + MASK + masked


async def offering(address: ListeningAddress, offer: str) -> RawClient:
    client = await talk(address)
    request = upgrade_request(
        "/ws/boards/demo?user_id=mallory", **{"Sec-WebSocket-Extensions": offer}
    )
    await client.send(request)
    head = await client.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"deflate" not in head
    await client.next_of("board:joined")
    return client


async def test_a_compressed_bomb_is_a_violation_since_nothing_was_negotiated(
    server: ListeningAddress, subject: Subject
) -> None:
    data = bomb()
    with trio.fail_after(PATIENCE_S):
        growth = Growth(subject.pid)
        for offer in (
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
            "x-webkit-deflate-frame",
        ):
            client = await offering(server, offer)
            async with client.stream:
                await client.send(data)
                assert await client.end() == 1002
    assert growth.peak_bytes < 5 * MIB
