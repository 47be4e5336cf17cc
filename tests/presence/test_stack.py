"""Starting with settings that cannot work, and stopping without a trace."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import presence_server
from presence_server.cache.base import CacheError
from presence_server.storage import migrate
from presence_server.storage.errors import StorageError, StorageUnavailable
from tests.presence.kit import open_stack, refusal, starts
from tests.servers import (
    BREAKS_CONNECTIONS,
    PostgresServer,
    RedisServer,
    collected,
    free_port,
    start_redis,
)

__all__ = ["collected"]

pytestmark = BREAKS_CONNECTIONS


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.postgres
async def test_a_database_that_does_not_exist(postgres_server: PostgresServer) -> None:
    error = await refusal(postgres_server.url("nowhere"))
    assert str(error).startswith('database.url: database "nowhere" does not exist; create it')


@pytest.mark.postgres
async def test_a_user_who_does_not_exist(postgres_server: PostgresServer) -> None:
    error = await refusal(postgres_server.url(user="nobody-we-know"))
    assert "refuses the login" in str(error)
    assert "check user and password" in str(error)


@pytest.mark.postgres
async def test_a_user_without_rights(postgres_url: str, postgres_server: PostgresServer) -> None:
    role = f"poor_{os.getpid()}"
    postgres_server.execute(f"DROP ROLE IF EXISTS {role}")
    postgres_server.execute(f"CREATE ROLE {role} LOGIN")
    poor = postgres_url.replace("postgres@", f"{role}@")
    error = await refusal(poor)
    assert str(error).startswith("database.url: the user lacks rights: permission denied")
    # Migrated by the owner, rights to the rows are all it takes.
    await trio.to_thread.run_sync(migrate.upgrade, postgres_url)
    for grant in (
        f"GRANT USAGE ON SCHEMA collab TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA collab TO {role}",
    ):
        postgres_server.execute(grant, postgres_url)
    await starts(poor)


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
async def test_a_database_migrated_by_a_newer_release(
    dialect: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if dialect == "sqlite":
        url = f"sqlite:///{tmp_path}/x.db"
        migrate.upgrade(url)
        with sqlite3.connect(tmp_path / "x.db") as connection:
            connection.execute("UPDATE presence_schema_version SET version_num = '9999'")
        connection.close()
    else:
        url = request.getfixturevalue("postgres_url")
        await trio.to_thread.run_sync(migrate.upgrade, url)
        request.getfixturevalue("postgres_server").execute(
            "UPDATE collab.presence_schema_version SET version_num = '9999'", url
        )
    error = await refusal(url)
    assert str(error).startswith("database.url: ")
    assert "newer release" in str(error)


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = await refusal(f"sqlite:///{tmp_path}/file/x.db")
    assert str(error).startswith(f"database.url: cannot write {tmp_path}/file/x.db")
    assert "use a folder this user may write to" in str(error)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "closed"
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    error = await refusal(f"sqlite:///{folder}/x.db")
    assert str(error).startswith(f"database.url: cannot write {folder}/x.db")


@pytest.mark.parametrize("damage", ["all", "page"])
async def test_a_corrupt_sqlite_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.db"
    if damage == "all":
        path.write_bytes(b"this is no database, and long enough to be none. " * 100)
    else:
        migrate.upgrade(f"sqlite:///{path}")
        content = path.read_bytes()
        path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))
    error = await refusal(f"sqlite:///{path}")
    assert str(error).startswith(f"database.url: {path} is damaged")
    assert "restore a backup" in str(error)


@pytest.fixture
def locked_redis() -> Iterator[RedisServer]:
    server = start_redis("--requirepass", "sesame")
    yield server
    server.remove()


@pytest.mark.redis
async def test_a_redis_that_wants_a_password(tmp_path: Path, locked_redis: RedisServer) -> None:
    error = await refusal(f"sqlite:///{tmp_path}/x.db", locked_redis.url)
    assert isinstance(error, CacheError)
    assert str(error).startswith("redis.url: ")
    assert "password" in str(error)


def test_urls_that_are_none_are_refused_before_anything_is_opened() -> None:
    with pytest.raises(StorageError, match=r"^database\.url: "):
        open_stack("mysql://host/x")
    with pytest.raises(CacheError, match=r"^redis\.url: "):
        open_stack(None, "host:6379")


async def test_a_database_that_is_down_stops_the_start_only_when_required() -> None:
    url = f"postgresql://me@127.0.0.1:{free_port()}/x"
    error = await refusal(url, required=True)
    assert isinstance(error, StorageUnavailable)
    assert str(error).startswith("database.url: ")
    await starts(url)


async def test_a_stopped_stack_leaves_no_sqlite_journal_behind(tmp_path: Path) -> None:
    stack = open_stack(f"sqlite:///{tmp_path}/x.db")
    async with trio.open_nursery() as nursery:
        await nursery.start(stack.run)
        await stack.service.stored.sessions()
        nursery.cancel_scope.cancel()
    assert names(tmp_path) == ["x.db", "x.db.lock"]


def test_a_process_that_closes_nothing_ends_all_the_same(tmp_path: Path) -> None:
    code = f"""
import trio
from presence_server.presence.bridge import Bridge
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url

async def main():
    bridge = Bridge()
    async with trio.open_nursery() as nursery:
        await nursery.start(bridge.run)
        await bridge.call(Repository(parse_url("sqlite:///{tmp_path}/x.db")).ping)
        nursery.cancel_scope.cancel()

trio.run(main)
print("end")
"""
    root = Path(presence_server.__file__).parent.parent
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout == b"end\n"
    assert time.monotonic() - began < 60
