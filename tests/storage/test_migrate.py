from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import presence_server
from presence_server.storage import migrate
from presence_server.storage.errors import StorageError
from presence_server.storage.url import parse_url
from tests.servers import PostgresServer


def execute(url: str, sql: str, postgres: PostgresServer | None = None) -> list[tuple[object, ...]]:
    path = parse_url(url).path
    if path is None:
        assert postgres is not None
        return [tuple(row) for row in postgres.execute(sql, url)]
    with sqlite3.connect(path) as connection:
        found: list[tuple[object, ...]] = connection.execute(sql).fetchall()
    connection.close()
    return found


def test_up_and_down_can_be_run_again_and_again(store_url: str) -> None:
    assert migrate.status(store_url).current is None
    for _ in range(2):
        assert migrate.upgrade(store_url).up_to_date
        assert migrate.upgrade(store_url).up_to_date
        assert migrate.status(store_url).up_to_date
        assert migrate.downgrade(store_url).current is None
        assert migrate.downgrade(store_url).current is None


def test_many_servers_may_start_at_once(store_url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            assert migrate.upgrade(store_url).up_to_date
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_a_new_sqlite_file_that_another_process_writes_to_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr("presence_server.storage.migrate.sleep", pause, raising=False)
    assert migrate.upgrade(f"sqlite:///{tmp_path}/x.db").up_to_date
    assert len(pauses) == 3
    other.close()


def test_a_migrated_sqlite_file_writes_ahead(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    migrate.upgrade(url)
    assert execute(url, "PRAGMA journal_mode") == [("wal",)]


def test_down_leaves_nothing_in_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    migrate.upgrade(url)
    migrate.downgrade(url)
    assert execute(url, "SELECT name FROM sqlite_master") == []


@pytest.mark.postgres
def test_down_leaves_nothing_in_postgres_but_what_others_put_there(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname = 'collab'"
    migrate.upgrade(postgres_url)
    migrate.downgrade(postgres_url)
    assert execute(postgres_url, schemas, postgres_server) == []
    migrate.upgrade(postgres_url)
    execute(postgres_url, "CREATE TABLE collab.theirs ()", postgres_server)
    migrate.downgrade(postgres_url)
    assert execute(postgres_url, schemas, postgres_server) == [("collab",)]


def test_sqlite_refuses_a_status_that_is_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    migrate.upgrade(url)
    with pytest.raises(sqlite3.IntegrityError, match="presence_status"):
        execute(
            url,
            "INSERT INTO presence (board_id, user_id, session_id, status, last_heartbeat_at,"
            " connected_at) VALUES ('b', 'u', 's', 'busy', 1, 1)",
        )


@pytest.mark.postgres
def test_the_postgres_enum_has_the_statuses_of_the_protocol(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    migrate.upgrade(postgres_url)
    labels = "SELECT unnest(enum_range(NULL::collab.presence_status))::text"
    assert execute(postgres_url, labels, postgres_server) == [("online",), ("idle",), ("away",)]


def test_a_store_migrated_by_a_newer_release_is_refused_in_one_line(
    store_url: str, request: pytest.FixtureRequest
) -> None:
    migrate.upgrade(store_url)
    is_sqlite = store_url.startswith("sqlite")
    table = "presence_schema_version" if is_sqlite else "collab.presence_schema_version"
    server = None if is_sqlite else request.getfixturevalue("postgres_server")
    execute(store_url, f"UPDATE {table} SET version_num = '9999'", server)
    for command in (migrate.upgrade, migrate.status, migrate.downgrade):
        with pytest.raises(StorageError, match=r"database\.url: .* newer release .*9999") as caught:
            command(store_url)
        assert "\n" not in str(caught.value)


def test_an_unknown_revision_to_go_down_to_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    migrate.upgrade(url)
    with pytest.raises(StorageError, match="no revision 'abc'"):
        migrate.downgrade(url, "abc")
    assert migrate.status(url).up_to_date


def test_a_relative_sqlite_path_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert migrate.upgrade("sqlite:///var/deep/presence.db").up_to_date
    assert (tmp_path / "var/deep/presence.db").is_file()


def test_migrating_from_elsewhere_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    root = Path(presence_server.__file__).parent.parent
    code = f"from presence_server.storage import migrate; migrate.upgrade('sqlite:///{tmp_path}/x')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert (done.stdout, done.stderr) == (b"", b"")
