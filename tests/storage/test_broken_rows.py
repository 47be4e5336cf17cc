"""Rows broken by hand, in every way a database allows: the others are read all the same."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
import trio

from presence_server.presence.bridge import Bridge
from presence_server.storage import migrate
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url
from presence_server.storage.write_batch import ClockReading, QueueMark, WriteBatch
from tests.servers import PostgresServer
from tests.storage.records import PATIENT, T0, record, seen

DEEP = '{"a":' * 973 + "1" + "}" * 973

IN_SQLITE = {
    "metadata is not UTF-8": "metadata = CAST(x'7b22ff227d' AS TEXT)",
    "metadata is a blob": "metadata = x'ff'",
    "metadata is a number": "metadata = 7",
    "metadata is an array": "metadata = '[1]'",
    "metadata is cut off": "metadata = '{\"a\":'",
    "metadata is nested too deeply": f"metadata = '{DEEP}'",
    "metadata has a number that JSON has not": "metadata = '{\"a\":NaN}'",
    "metadata has a number beyond a float": "metadata = '{\"a\":1e999}'",
    "metadata has half a character": 'metadata = \'{"a":"\\ud800"}\'',
    "metadata has a key twice": 'metadata = \'{"a":1,"a":2}\'',
    "metadata has something after its end": "metadata = '{} {}'",
    "status is unknown": "status = 'busy'",
    "metadata is too long": f'metadata = \'{{"a":"{"x" * 5000}"}}\'',
    "user_id is not UTF-8": "user_id = CAST(x'ff' AS TEXT)",
    "user_id is a blob": "user_id = x'01'",
    "user_id is empty": "user_id = ''",
    "user_id is too long": f"user_id = '{'u' * 500}'",
    "user_id has a NUL": "user_id = CAST(x'610062' AS TEXT)",
    "session_id is not UTF-8": "session_id = CAST(x'ff' AS TEXT)",
    "session_id is a blob": "session_id = x'01'",
    "session_id is empty": "session_id = ''",
    "session_id is too long": f"session_id = '{'s' * 500}'",
    "session_id has a line end": "session_id = 'a' || char(10)",
    "last_heartbeat_at is text": "last_heartbeat_at = 'yesterday'",
    "last_heartbeat_at is a blob": "last_heartbeat_at = x'00'",
    "last_heartbeat_at is a fraction": "last_heartbeat_at = 1.5",
    "last_heartbeat_at is negative": "last_heartbeat_at = -1",
    "connected_at is far in the future": "connected_at = 9223372036854775807",
    "connected_at is infinite": "connected_at = 9e999",
    "cursor is text": "cursor_x = 'left', cursor_y = 1",
    "cursor is infinite": "cursor_x = 9e999, cursor_y = 1",
    "cursor is a blob": "cursor_x = x'00', cursor_y = 1",
    "board_id is a blob": "board_id = x'62'",
    "board_id is not the id of a board": "board_id = 'no such board'",
}

IN_POSTGRES = {
    "metadata is an array": "metadata = '[1]'",
    "metadata is nested too deeply": f"metadata = '{DEEP}'",
    "metadata has half a character": 'metadata = \'{"a":"\\ud800"}\'',
    "metadata has a number beyond a float": "metadata = '{\"a\":1e999}'",
    "metadata has a key twice": 'metadata = \'{"a":1,"a":2}\'',
    "status is unknown": "status = 'busy'",
    "user_id is empty": "user_id = ''",
    "user_id is too long": f"user_id = '{'u' * 500}'",
    "session_id is empty": "session_id = ''",
    "last_heartbeat_at is infinite": "last_heartbeat_at = 'infinity'",
    "last_heartbeat_at is before all time": "last_heartbeat_at = '-infinity'",
    "connected_at is after the year 9999": "connected_at = '20000-01-01'",
    "connected_at is before Christ": "connected_at = '0044-03-15 BC'",
    "cursor is infinite": "cursor_x = 'infinity', cursor_y = 1",
    "cursor is not a number": "cursor_x = 'NaN', cursor_y = 1",
    "board_id is not the id of a board": "board_id = 'no such board'",
}


async def read_all_but_the_broken(bridge: Bridge, repository: Repository) -> None:
    """Both ways of reading find the other rows, and say what they left out."""
    with structlog.testing.capture_logs() as logs:
        found = await bridge.call(repository.list_active_presence, None)
    assert {session.record.session_id for session in found} == {"session-0", "session-2"}
    assert [line["event"] for line in logs] == ["a stored row cannot be read"]
    assert repository.unreadable_rows == 1
    history = await bridge.call(repository.history, "b", None, 10)
    assert {"user-0", "user-2"} <= {entry.user_id for entry in history}


@asynccontextmanager
async def filled(bridge: Bridge, url: str) -> AsyncIterator[Repository]:
    """A store with three sessions. It is closed whatever the test shows."""
    await trio.to_thread.run_sync(migrate.upgrade, url)
    repository = Repository(parse_url(url), PATIENT)
    try:
        await bridge.call(repository.insert_presence, [record(n) for n in range(3)])
        await bridge.call(repository.upsert_profiles, [seen(n) for n in range(3)])
        yield repository
    finally:
        with trio.CancelScope(shield=True):
            await bridge.call(repository.aclose)


@pytest.fixture
async def sqlite_store(tmp_path: Path, bridge: Bridge) -> AsyncIterator[Repository]:
    async with filled(bridge, f"sqlite:///{tmp_path}/presence.db") as repository:
        yield repository


@pytest.fixture
async def postgres_store(postgres_url: str, bridge: Bridge) -> AsyncIterator[Repository]:
    async with filled(bridge, postgres_url) as repository:
        yield repository


@pytest.mark.parametrize("change", IN_SQLITE.values(), ids=IN_SQLITE)
async def test_one_broken_row_in_sqlite_stops_no_other(
    change: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute("PRAGMA ignore_check_constraints = on")
        database.execute(f"UPDATE presence SET {change} WHERE session_id = 'session-1'")
    database.close()
    await read_all_but_the_broken(bridge, sqlite_store)


@pytest.mark.postgres
@pytest.mark.parametrize("change", IN_POSTGRES.values(), ids=IN_POSTGRES)
async def test_one_broken_row_in_postgres_stops_no_other(
    change: str,
    postgres_url: str,
    postgres_server: PostgresServer,
    bridge: Bridge,
    postgres_store: Repository,
) -> None:
    postgres_server.execute("ALTER TYPE collab.presence_status ADD VALUE 'busy'", postgres_url)
    postgres_server.execute(
        f"UPDATE collab.presence SET {change} WHERE session_id = 'session-1'", postgres_url
    )
    await read_all_but_the_broken(bridge, postgres_store)


@pytest.mark.parametrize(
    "change",
    ["display_name = x'01'", "display_name = CAST(x'ff' AS TEXT)", "color = 7", "color = 'red'",
     "avatar_url = 'javascript:alert(1)'"],
)  # fmt: skip
async def test_a_broken_profile_gets_defaults_and_its_session_stays(
    change: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute(f"UPDATE user_profile SET {change} WHERE user_id = 'user-1'")
    database.close()
    found = await bridge.call(sqlite_store.list_active_presence, None)
    assert len(found) == 3
    assert all(s.profile.display_name and s.profile.color.startswith("#") for s in found)
    assert all(s.profile.avatar_url is None for s in found)


@pytest.mark.parametrize(
    "change",
    ["at_ms = 'noon'", "at_ms = x'00'", "at_ms = -1", "at_ms = 9e999", "at_ms = 1 << 62",
     "at_ms = 1.5", "user_id = x'ff'", "user_id = CAST(x'ff' AS TEXT)", "board_id = x'ff'"],
)  # fmt: skip
async def test_one_broken_time_of_a_queue_stops_no_other(
    change: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    marks = [QueueMark("b", f"user-{n}", T0 + n) for n in range(3)]
    await bridge.call(sqlite_store.write, WriteBatch(marks=marks))
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute(f"UPDATE queue_mark SET {change} WHERE user_id = 'user-1'")
    database.close()
    found = await bridge.call(sqlite_store.queue_marks, 1000, 10)
    assert found == [marks[2], marks[0]]
    await bridge.call(sqlite_store.delete_queue_marks, 1000, 10)
    assert await bridge.call(sqlite_store.queue_marks, 1000, 10) == found


@pytest.mark.parametrize(
    "change", ["wall_ms = 'noon'", "wall_ms = 9e999", "boot_ms = x'00'", "boot_id = x'07'"]
)
async def test_broken_clocks_are_no_clocks(
    change: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    await bridge.call(sqlite_store.write, WriteBatch(clock=ClockReading(T0, "boot", 1)))
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute(f"UPDATE store_clock SET {change}")
    database.close()
    assert await bridge.call(sqlite_store.clock) is None


@pytest.mark.parametrize("value", ["'text'", "7", "x''", "x'01'"])
async def test_a_broken_key_is_replaced(
    value: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    await bridge.call(sqlite_store.get_or_create_key, "name", b"old" * 11, T0)
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute(f"UPDATE server_key SET value = {value}")
    database.close()
    fresh = b"new" * 11
    for _ in range(2):
        assert await bridge.call(sqlite_store.get_or_create_key, "name", fresh, T0) == fresh
