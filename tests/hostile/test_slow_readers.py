"""Somebody who takes nothing on a full board under load: let go, and felt by nobody."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from websockets.frames import Opcode

from presence_server.server import ListeningAddress, lifetimes
from presence_server.server.listening import open_listeners
from presence_server.settings import Settings
from presence_server.transport.sessions import connections
from presence_server.transport.wire.connection import Connection
from tests.hostile.kit import MIB, joined
from tests.server.kit import PATIENCE_S, running_server
from tests.transport.frames import read_frames
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

CAPACITY = 100
ROUNDS = 20
METADATA = {"x": "y" * 1900}


@pytest.fixture(autouse=True)
def small_send_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system takes for a peer is no outbox, and some megabytes on a loopback."""

    async def open_small(settings: Settings) -> list[socket.socket]:
        listeners = await open_listeners(settings)
        for listener in listeners:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        return listeners

    monkeypatch.setattr(lifetimes, "open_listeners", open_small)


class Measured(Connection):
    """A connection that remembers the most that ever waited in an outbox of the server."""

    most_bytes = 0

    def write(self, data: bytes) -> None:
        super().write(data)
        Measured.most_bytes = max(Measured.most_bytes, self.outbox_bytes)


class Member:
    """Reads whatever comes, looks at it in the end only, and says something when told to."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.data = bytearray()
        self._looked_at: dict[bytes, int] = {}

    @classmethod
    async def enter(cls, stack: AsyncExitStack, address: ListeningAddress, number: int) -> Member:
        client = await joined(address, f"member-{number}")
        stack.push_async_callback(client.stream.aclose)
        return cls(client)

    async def read(self) -> None:
        while more := await self.client.stream.receive_some(2**18):
            self.data += more

    async def talk(self, number: int) -> None:
        await self.client.say("presence:update", metadata=METADATA | {"n": number})

    def heard(self, word: bytes) -> bool:
        """Whether something was said so far; what came before it is not looked at again."""
        found = self.data.find(word, self._looked_at.get(word, 0))
        self._looked_at[word] = max(0, len(self.data) - len(word)) if found < 0 else found
        return found >= 0


async def test_a_reader_that_never_reads_is_told_4508_and_the_others_miss_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "Connection", Measured)
    Measured.most_bytes = 0
    async with (
        running_server(
            tmp_path,
            board__capacity=CAPACITY,
            board__reconnecting_after_s=0.05,
            limits__ping_interval_s=3600,
        ) as address,
        AsyncExitStack() as stack,
        trio.open_nursery() as nursery,
    ):
        slow = await joined(address, "slow", receive_buffer=4096)
        stack.push_async_callback(slow.stream.aclose)
        members = [await Member.enter(stack, address, n) for n in range(CAPACITY - 1)]
        for member in members:
            nursery.start_soon(member.read)
        detached = b'"user_id":"slow","status":"online","connected":false'
        with trio.fail_after(2 * PATIENCE_S):
            for number in range(ROUNDS):
                for member in members:
                    await member.talk(number)
                await everybody_hears(members, b'"n":%d}' % number)
                if members[0].heard(detached):
                    break
            else:
                pytest.fail("it was never detached")
            await everybody_hears(members, detached)
            seen = read_frames(await slow.rest())
        assert seen[-1].close.code == 4508
        assert {found.opcode for found in seen[:-1]} == {Opcode.TEXT}
        assert 0 < Measured.most_bytes <= MIB
        await still_there(members)
        nursery.cancel_scope.cancel()
    for member in members:
        assert member.data.count(b'"n":') == (number + 1) * len(members)
        assert b"user:left" not in member.data


async def everybody_hears(members: list[Member], word: bytes) -> None:
    for member in members:
        while not member.heard(word):  # noqa: ASYNC110 - the reader does not call us
            await trio.sleep(0.005)


async def still_there(members: list[Member]) -> None:
    """Everybody gets an answer, behind all that was said before."""
    for member in members:
        await member.client.say("heartbeat")
    await everybody_hears(members, b"heartbeat:ack")


async def test_a_reader_that_takes_nothing_for_a_while_is_let_go_though_little_waits(
    tmp_path: Path,
) -> None:
    async with running_server(
        tmp_path,
        limits__write_timeout_s=0.2,
        limits__messages_per_s=1000,
        board__reconnecting_after_s=0.05,
        board__cursor_interval_ms=0.001,
    ) as address:
        slow = await joined(address, "slow", receive_buffer=4096)
        other = await joined(address, "other")
        async with slow.stream, other.stream:
            with trio.fail_after(PATIENCE_S):
                # Less than an outbox may hold, more than the system takes.
                for number in range(90):
                    await other.say("presence:update", metadata=METADATA | {"n": number})
                    await other.next_of("presence:update")
                while (told := await other.next_of("presence:update"))["user_id"] != "slow":
                    pass
                assert told["connected"] is False
                assert read_frames(await slow.rest())[-1].close.code == 4508
