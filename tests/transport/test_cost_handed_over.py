"""What a message of a connection costs that was handed to the process of its board: no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from presence_server.protocol.frames import text_frame
from presence_server.protocol.messages import encode
from presence_server.protocol.model import PresenceRecord
from presence_server.rooms import members
from presence_server.transport.wire.pump import pump_is_available
from tests.fakes import FakeStore
from tests.limits import board_limits
from tests.rooms.fake_board import settle
from tests.transport.gate.test_gateway_siblings import Server, opened
from tests.transport.gateway_kit import RawClient
from tests.transport.test_cost import CountingPump, Spy, changes, counting_births

pytestmark = pytest.mark.skipif(not pump_is_available(), reason="needs epoll")

MEMBERS, MESSAGES = 5, 40
PATIENCE_S = 30.0
BOARD = "1-board"


class CountingStore(FakeStore):
    """Counts the calls about sessions that change."""

    calls = 0

    def update_status(self, record: PresenceRecord) -> None:
        CountingStore.calls += 1
        super().update_status(record)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    found = Server(
        tmp_path,
        board=board_limits(cursor_interval_ms=0),
        pump=CountingPump,
        store=CountingStore(),
        messages_per_s=1e6,
        burst=1_000_000,
    )
    with trio.fail_after(PATIENCE_S):
        async with opened(found):
            yield found


async def _cost(
    server: Server, monkeypatch: pytest.MonkeyPatch, half: int
) -> tuple[int, int, int, int, Counter[int]]:
    """Tasks begun, messages encoded, frames made, calls of the store and writes of each socket."""
    clients: list[RawClient] = []
    for number in range(MEMBERS):
        clients.append(await server.join(half, BOARD, f"user-{number}"))
        for other in clients[:-1]:
            await other.next_of("user:joined")
    await settle()
    pump = server.halves[1].kit.pump
    assert isinstance(pump, CountingPump)
    encodings, framings = Spy(encode), Spy(text_frame)
    monkeypatch.setattr(members, "encode", encodings)
    monkeypatch.setattr(members, "text_frame", framings)
    pump.writes.clear()
    CountingStore.calls = 0
    with counting_births() as births:
        await clients[0].send(*changes(MESSAGES))
        for client in clients:
            for _ in range(MESSAGES):
                assert (await client.next())["type"] == "presence:update"
    writes = Counter(pump.writes.values())
    assert server.halves[0].siblings.handed_over == (MEMBERS if half == 0 else 0)
    return births.count, encodings.calls, framings.calls, CountingStore.calls, writes


@pytest.mark.parametrize("half", [0, 1], ids=["handed over", "at once at its process"])
async def test_a_message_begins_no_task_and_is_encoded_and_written_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, half: int
) -> None:
    births, encodings, framings, calls, writes = await _cost(server, monkeypatch, half)
    # The same numbers, whichever process accepted the members.
    assert (births, encodings, framings) == (0, MESSAGES, MESSAGES)
    assert calls == 0
    assert writes == {1: MEMBERS}
