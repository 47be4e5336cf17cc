from __future__ import annotations

import pytest
import sqlalchemy as sa

from presence_server.presence.bridge import Bridge
from presence_server.protocol.model import HistoryEntry
from presence_server.storage.repository import Repository
from presence_server.storage.stored_boards import Silence, StoredBoard
from presence_server.storage.url import Dialect
from presence_server.storage.write_batch import Closing
from tests.storage.records import T0, record

SILENCE = Silence(length_ms=1000, earliest_ms=T0 + 500, now_ms=T0 + 5000, before_ms=T0 + 9000)


async def ends(bridge: Bridge, repository: Repository, board_id: str) -> dict[str, int | None]:
    found: list[HistoryEntry] = await bridge.call(repository.history, board_id, None, 100)
    return {entry.user_id: entry.disconnected_at for entry in found}


async def test_boards_with_open_rows_are_listed_a_page_at_a_time(
    bridge: Bridge, repository: Repository
) -> None:
    boards = {"a": 1, "b-1": 2, "c:2": 3, "z": 1}
    written = [
        record(n, board_id=board_id, last_heartbeat_at=T0 + n)
        for board_id, rows in boards.items()
        for n in range(rows)
    ]
    written.append(record(9, board_id="c:2", user_id="user-0"))
    await bridge.call(repository.insert_presence, written)
    await bridge.call(repository.mark_disconnected, [Closing("z", "session-0", T0)])
    await bridge.call(
        repository.insert_presence, [record(n, board_id="no such board") for n in range(3)]
    )
    found: list[StoredBoard] = []
    while page := await bridge.call(repository.open_boards, found[-1].board_id if found else "", 2):
        found += page
    assert found == [
        StoredBoard("a", 1, 1, T0, T0),
        StoredBoard("b-1", 2, 2, T0 + 1, T0 + 1),
        StoredBoard("c:2", 4, 3, T0 + 2, T0 + 2),
    ]
    assert repository.unreadable_rows == 3


async def test_a_board_whose_newest_time_is_none_says_so(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record()])
    table, value = "collab.presence", "infinity"
    if repository.url.dialect is Dialect.SQLITE:
        table, value = "presence", "noon"
    change = sa.text(f"UPDATE {table} SET last_heartbeat_at = '{value}'")
    await bridge.call(repository._execute_counted, change)
    assert await bridge.call(repository.open_boards, "", 2) == [StoredBoard("b", 1, 1, None, None)]


@pytest.mark.parametrize(
    ("seen_after_ms", "ended_after_ms"),
    [(-100_000, 500), (0, 1000), (2000, 3000), (4500, 5000), (9000, 5000), (9001, None)],
)
async def test_a_session_ends_when_its_silence_was_too_long(
    bridge: Bridge, repository: Repository, seen_after_ms: int, ended_after_ms: int | None
) -> None:
    row = record(last_heartbeat_at=T0 + seen_after_ms)
    await bridge.call(repository.insert_presence, [row])
    closed = await bridge.call(repository.end_boards, ["b"], SILENCE)
    expected = None if ended_after_ms is None else T0 + ended_after_ms
    assert await ends(bridge, repository, "b") == {"user-0": expected}
    assert closed == (expected is not None)


async def test_only_open_rows_of_the_boards_end(bridge: Bridge, repository: Repository) -> None:
    rows = [record(n, board_id=board_id) for board_id in "bcd" for n in range(2)]
    await bridge.call(repository.insert_presence, rows)
    await bridge.call(repository.mark_disconnected, [Closing("b", "session-0", T0 + 7)])
    assert await bridge.call(repository.end_boards, ["b", "c"], SILENCE) == 3
    assert await bridge.call(repository.end_boards, ["b", "c"], SILENCE) == 0
    end = T0 + 1000
    assert await ends(bridge, repository, "b") == {"user-0": T0 + 7, "user-1": end}
    assert await ends(bridge, repository, "c") == {"user-0": end, "user-1": end}
    assert await ends(bridge, repository, "d") == {"user-0": None, "user-1": None}
