"""Rows broken by hand, in every way a database allows: the others are read all the same."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import structlog
import trio

from presence_server.presence.bridge import Bridge
from presence_server.storage import migrate
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url
from tests.servers import PostgresServer
from tests.storage.records import record, seen

DEEP = '{"a":' * 973 + "1" + "}" * 973

IN_SQLITE = {
    "metadata is not UTF-8": "metadata = CAST(x'7b22ff227d' AS TEXT)",
    "metadata is a blob": "metadata = x'ff'",
    "metadata is a number": "metadata = 7",
    "metadata is an array": "metadata = '[1]'",
    "metadata is cut off": "metadata = '{\"a\":'",
    "metadata is nested too deeply": f"metadata = '{DEEP}'",
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
    assert [line["event"] for line in logs] == ["a stored session cannot be read"]
    assert repository.unreadable_rows == 1
    history = await bridge.call(repository.history, "b", None, 10)
    assert {"user-0", "user-2"} <= {entry.user_id for entry in history}
    await bridge.call(repository.aclose)


async def fill(bridge: Bridge, url: str) -> Repository:
    await trio.to_thread.run_sync(migrate.upgrade, url)
    repository = Repository(parse_url(url))
    await bridge.call(repository.insert_presence, [record(n) for n in range(3)])
    await bridge.call(repository.upsert_profiles, [seen(n) for n in range(3)])
    return repository


@pytest.mark.parametrize("change", IN_SQLITE.values(), ids=IN_SQLITE)
async def test_one_broken_row_in_sqlite_stops_no_other(
    change: str, tmp_path: Path, bridge: Bridge
) -> None:
    repository = await fill(bridge, f"sqlite:///{tmp_path}/presence.db")
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute(f"UPDATE presence SET {change} WHERE session_id = 'session-1'")
    database.close()
    await read_all_but_the_broken(bridge, repository)


@pytest.mark.postgres
@pytest.mark.parametrize("change", IN_POSTGRES.values(), ids=IN_POSTGRES)
async def test_one_broken_row_in_postgres_stops_no_other(
    change: str, postgres_url: str, postgres_server: PostgresServer, bridge: Bridge
) -> None:
    repository = await fill(bridge, postgres_url)
    postgres_server.execute(
        f"UPDATE collab.presence SET {change} WHERE session_id = 'session-1'", postgres_url
    )
    await read_all_but_the_broken(bridge, repository)


@pytest.mark.parametrize(
    "change",
    ["display_name = x'01'", "display_name = CAST(x'ff' AS TEXT)", "color = 7", "color = 'red'",
     "avatar_url = 'javascript:alert(1)'"],
)  # fmt: skip
async def test_a_broken_profile_gets_defaults_and_its_session_stays(
    change: str, tmp_path: Path, bridge: Bridge
) -> None:
    repository = await fill(bridge, f"sqlite:///{tmp_path}/presence.db")
    with sqlite3.connect(tmp_path / "presence.db") as database:
        database.execute(f"UPDATE user_profile SET {change} WHERE user_id = 'user-1'")
    database.close()
    found = await bridge.call(repository.list_active_presence, None)
    assert len(found) == 3
    assert all(s.profile.display_name and s.profile.color.startswith("#") for s in found)
    assert all(s.profile.avatar_url is None for s in found)
    await bridge.call(repository.aclose)
