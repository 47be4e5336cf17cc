"""A failed start is one line with the setting and the cure: exit code 2, or 75 if it may pass."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from presence_server.storage import migrate
from tests.command import server_command
from tests.servers import (
    PostgresServer,
    RedisServer,
    postgres_server,
    postgres_url,
    start_redis,
)

__all__ = ["postgres_server", "postgres_url"]

PATIENCE_S = 60
MAY_PASS = 75


def refusal(tmp_path: Path, exit_code: int = 2, **variables: str) -> str:
    """Start a server that cannot start, and return its one line without the program's name."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PRESENCE_")}
    environment |= {"DATABASE_URL": f"sqlite:///{tmp_path}/good.db", "PRESENCE_SERVER__PORT": "0"}
    done = subprocess.run(
        server_command("serve"),
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == exit_code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("presence-server: ")
    return line.removeprefix("presence-server: ")


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("mysql://host/x", "must be a URL of the kind sqlite://, postgresql://"),
        ("presence.db", "must be a URL of the kind sqlite://, postgresql://"),
        ("sqlite://", "sqlite:///"),
        ("postgresql://host:port/x", "is not a port"),
    ],
)
def test_a_wrong_database_url(tmp_path: Path, url: str, advice: str) -> None:
    line = refusal(tmp_path, DATABASE_URL=url)
    assert line.startswith("database.url: ")
    assert advice in line


@pytest.mark.postgres
def test_a_database_that_is_not_there(tmp_path: Path, postgres_server: PostgresServer) -> None:
    line = refusal(tmp_path, DATABASE_URL=postgres_server.url("nowhere"))
    assert line.startswith('database.url: database "nowhere" does not exist; create it')


@pytest.mark.postgres
def test_a_database_without_rights(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer
) -> None:
    role = f"poor_cli_{os.getpid()}"
    postgres_server.execute(f"CREATE ROLE {role} LOGIN")
    line = refusal(tmp_path, DATABASE_URL=postgres_url.replace("postgres@", f"{role}@"))
    assert line.startswith("database.url: the user lacks rights: ")
    assert "presence-server migrate up" in line


def test_a_database_that_a_newer_release_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    migrate.upgrade(url)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("UPDATE presence_schema_version SET version_num = '9999'")
    connection.close()
    line = refusal(tmp_path, DATABASE_URL=url)
    assert line.startswith("database.url: ")
    assert "newer release" in line


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    # Nobody may write there, root included.
    line = refusal(tmp_path, MAY_PASS, DATABASE_URL="sqlite:////proc/self/x.db")
    assert line.startswith("database.url: cannot write /proc/self/x.db: ")
    assert "use a folder" in line


def test_a_corrupt_file(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database, and long enough to be none. " * 100)
    line = refusal(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/x.db")
    assert line.startswith(f"database.url: {tmp_path}/x.db is damaged")
    assert "restore a backup" in line


@pytest.mark.postgres
def test_a_required_database_that_is_down(tmp_path: Path) -> None:
    line = refusal(
        tmp_path,
        MAY_PASS,
        DATABASE_URL="postgresql://me:sesame@127.0.0.1:1/x",
        PRESENCE_DATABASE__REQUIRED="true",
    )
    assert line.startswith("database.url: cannot reach ")
    assert "check the host and port" in line
    assert "sesame" not in line


@pytest.fixture
def locked_redis() -> Iterator[RedisServer]:
    server = start_redis("--requirepass", "sesame")
    yield server
    server.remove()


@pytest.mark.redis
def test_a_redis_that_refuses_the_password(tmp_path: Path, locked_redis: RedisServer) -> None:
    url = locked_redis.url.replace("redis://", "redis://:rotated@")
    line = refusal(tmp_path, MAY_PASS, REDIS_URL=url)
    assert line.startswith("redis.url: ")
    assert "refuses the login" in line


@pytest.mark.redis
def test_a_redis_that_wants_a_password(tmp_path: Path, locked_redis: RedisServer) -> None:
    line = refusal(tmp_path, REDIS_URL=locked_redis.url)
    assert line.startswith("redis.url: ")
    assert "password" in line


def test_a_port_that_another_process_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refusal(tmp_path, MAY_PASS, PRESENCE_SERVER__PORT=str(port))
    assert line.startswith(f"server.host, server.port: cannot listen on 127.0.0.1 port {port}: ")


def test_an_address_that_this_machine_does_not_have_yet(tmp_path: Path) -> None:
    line = refusal(
        tmp_path,
        MAY_PASS,
        PRESENCE_SERVER__HOST="192.0.2.1",
        PRESENCE_AUTH__ALLOW_ANONYMOUS="true",
    )
    assert line.startswith("server.host, server.port: cannot listen on 192.0.2.1")


def test_a_host_that_is_not_a_name(tmp_path: Path) -> None:
    line = refusal(tmp_path, PRESENCE_SERVER__HOST="no name", PRESENCE_AUTH__ALLOW_ANONYMOUS="true")
    assert line.startswith("server.host")


@pytest.mark.parametrize("number", ["0", "-1", "1000", "x"])
def test_a_number_of_processes_that_cannot_be(tmp_path: Path, number: str) -> None:
    line = refusal(tmp_path, PRESENCE_SERVER__PROCESSES=number)
    assert line.startswith("server.processes: must be a whole number from 1 to 128")


def test_several_processes_refuse_in_one_line_as_one_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = refusal(
            tmp_path, MAY_PASS, PRESENCE_SERVER__PORT=port, PRESENCE_SERVER__PROCESSES="2"
        )
    assert line.startswith(f"server.host, server.port: cannot listen on 127.0.0.1 port {port}: ")
    # The keeper finds this one. No process is left behind: the pipes would still be open, and the
    # call would not have returned.
    line = refusal(tmp_path, REDIS_URL="redis://host/nine", PRESENCE_SERVER__PROCESSES="2")
    assert line.startswith("redis.url: ")
