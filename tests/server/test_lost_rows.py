"""A database that loses rows, or its file, under a running server."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

from presence_server.storage import migrate
from tests.server.kit import PATIENCE_S, running_server, visiting
from tests.servers import PostgresServer, postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

pytestmark = pytest.mark.e2e

NOTICED_WITHIN_S = 60.0


def open_rows(path: Path) -> list[tuple[str, str]]:
    """User and name of each open row; nothing while there is no table."""
    database = sqlite3.connect(path)
    try:
        return database.execute(
            "SELECT user_id, display_name FROM presence LEFT JOIN user_profile USING (user_id)"
            " WHERE disconnected_at IS NULL ORDER BY user_id"
        ).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        database.close()


def copy_of(path: Path, name: str) -> None:
    """A backup of a database that is in use."""
    database, copy = sqlite3.connect(path), sqlite3.connect(path.with_name(name))
    with copy:
        database.backup(copy)
    copy.close()
    database.close()


def modes(folder: Path) -> dict[str, int]:
    return {f.name: stat.S_IMODE(f.stat().st_mode) for f in folder.glob("presence.db*")}


def remove(path: Path) -> None:
    path.unlink()


def replace_by_empty(path: Path) -> None:
    other = path.with_name("other.db")
    migrate.upgrade(f"sqlite:///{other}")
    other.rename(path)


def restore_backup(path: Path) -> None:
    shutil.move(path.with_name("backup.db"), path)


def execute(path: Path, *statements: str) -> None:
    """Write to a database in one transaction.

    A test whose server runs in the same loop calls this in a thread: the server's own transaction
    may have to end first, and it ends in that loop.
    """
    with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as database, database:
        for statement in statements:
            database.execute(statement)


def delete_rows(path: Path) -> None:
    execute(path, "DELETE FROM presence", "DELETE FROM user_profile")


@pytest.mark.parametrize("lose", [remove, replace_by_empty, restore_backup, delete_rows])
async def test_live_sessions_are_written_again_and_survive_a_crash(
    lose: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "presence.db"
    async with (
        running_server(tmp_path, board__heartbeat_interval_s=1) as address,
        visiting(address) as visitors,
    ):
        copy_of(path, "backup.db")
        ada = await visitors.open(user_id="ada", display_name="Ada")
        session = str((await ada.next_of("board:joined"))["session_id"])
        await visitors.join("bob")
        await trio.to_thread.run_sync(lose, path)
        with trio.fail_after(NOTICED_WITHIN_S):
            while len(open_rows(path)) < 2:
                await ada.send("heartbeat")
                await trio.sleep(0.2)
        assert open_rows(path)[0] == ("ada", "Ada")
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        back = await visitors.open(user_id="ada", session_id=session)
        assert (await back.next_of("board:joined"))["resumed"] is True


@pytest.mark.parametrize("lose", [replace_by_empty, delete_rows])
async def test_sessions_that_have_dropped_are_written_again_too(
    lose: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "presence.db"
    async with running_server(tmp_path) as address:
        async with visiting(address) as visitors:
            await visitors.join("ada")
            copy_of(path, "backup.db")
        await trio.to_thread.run_sync(lose, path)
        with trio.fail_after(NOTICED_WITHIN_S):
            while not open_rows(path):  # noqa: ASYNC110 - nobody tells the test
                await trio.sleep(0.2)


async def test_the_key_of_the_queues_outlives_the_loss_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"

    def key() -> list[tuple[bytes]]:
        with sqlite3.connect(path) as database:
            found: list[tuple[bytes]] = database.execute("SELECT value FROM server_key").fetchall()
        database.close()
        return found

    async with running_server(tmp_path):
        before = key()
        assert len(before) == 1
        await trio.to_thread.run_sync(execute, path, "DELETE FROM server_key")
        with trio.fail_after(NOTICED_WITHIN_S):
            while key() != before:  # noqa: ASYNC110 - nobody tells the test
                await trio.sleep(0.2)


@pytest.mark.postgres
async def test_rows_deleted_from_postgres_come_back(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    count = "SELECT count(*) FROM collab.presence WHERE disconnected_at IS NULL"
    async with (
        running_server(tmp_path, database__url=postgres_url) as address,
        visiting(address) as visitors,
    ):
        ada = await visitors.join("ada")
        await visitors.join("bob")
        delete = partial(postgres_server.execute, "DELETE FROM collab.presence", postgres_url)
        await trio.to_thread.run_sync(delete)
        with trio.fail_after(PATIENCE_S):
            while postgres_server.execute(count, postgres_url)[0][0] < 2:
                await ada.send("heartbeat")
                await trio.sleep(0.2)


async def test_only_this_user_may_read_a_new_database(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        await visitors.join("ada")
        found = modes(tmp_path)
        assert len(found) == 4
        assert set(found.values()) == {0o600}
