"""Starts with URLs of PostgreSQL that cannot work, and with some that look so and do work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing
import trio

from presence_server.storage.errors import StorageUnavailable
from tests.certificates import self_signed
from tests.presence.kit import refusal, starts
from tests.servers import (
    BREAKS_CONNECTIONS,
    PgBouncer,
    PostgresServer,
    collected,
    free_port,
    start_pgbouncer,
    start_postgres,
)

__all__ = ["collected"]

pytestmark = [*BREAKS_CONNECTIONS, pytest.mark.postgres]

HBA = """
local all all trust
hostssl all tls_only 127.0.0.1/32 trust
hostnossl all tls_only 127.0.0.1/32 reject
host all by_gss 127.0.0.1/32 gss
host all ada 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


@pytest.fixture(scope="module")
def tls_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL with TLS, and with users who log in in several ways."""
    server = start_postgres()
    server.execute("CREATE ROLE ada LOGIN SUPERUSER PASSWORD 'p@ss'")
    server.execute("CREATE ROLE tls_only LOGIN SUPERUSER")
    server.execute("CREATE ROLE by_gss LOGIN")
    server.stop()
    (server.folder / "hba").write_text(HBA)
    for path in (*self_signed(server.folder), server.folder / "hba"):
        path.chmod(0o600)
        if server.user is not None:
            shutil.chown(path, server.user)
    server.extra = [
        "ssl=on",
        f"ssl_cert_file={server.folder}/cert.pem",
        f"ssl_key_file={server.folder}/key.pem",
        f"hba_file={server.folder}/hba",
    ]
    server.start()
    yield server
    server.remove()


def url_of(server: PostgresServer, query: str, login: str = "postgres") -> str:
    return f"postgresql://{login}@127.0.0.1:{server.port}/postgres?{query}"


async def test_a_wrong_root_certificate(tls_postgres: PostgresServer, tmp_path: Path) -> None:
    other, _ = self_signed(tmp_path)
    error = await refusal(url_of(tls_postgres, f"sslmode=verify-full&sslrootcert={other}"))
    assert str(error).startswith("database.url: sslrootcert: ")
    assert not isinstance(error, StorageUnavailable)


async def test_a_database_that_no_system_root_vouches_for(tls_postgres: PostgresServer) -> None:
    for query in ("sslrootcert=system", "sslmode=verify-full", "sslaccept=strict"):
        error = await refusal(url_of(tls_postgres, query))
        assert str(error).startswith("database.url: sslrootcert: ")


async def test_a_host_that_the_certificate_does_not_name(tls_postgres: PostgresServer) -> None:
    root = tls_postgres.folder / "cert.pem"
    url = url_of(tls_postgres, f"sslmode=verify-full&sslrootcert={root}")
    error = await refusal(url.replace("127.0.0.1", "localhost"))
    assert str(error).startswith("database.url: sslrootcert: ")
    assert "localhost" in str(error)


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=verify-full&sslrootcert={root}",
        "sslmode=verify-ca&sslrootcert={root}",
        "sslmode=require&channel_binding=require",
        "ssl=true&pgbouncer=true&connection_limit=1&schema=public",
        "gssencmode=disable&keepalives=1&connect_timeout=10",
        "timezone=Asia%2FTokyo&application_name=it%27s%20%5C&app.x=it%27s%20%5C",
        "",
    ],
)
async def test_urls_that_work_with_a_password_and_tls(
    tls_postgres: PostgresServer, query: str
) -> None:
    root = tls_postgres.folder / "cert.pem"
    await starts(url_of(tls_postgres, query.format(root=root), "ada:p@ss"), required=True)


async def test_a_user_without_a_password_that_the_database_wants(
    tls_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    error = await refusal(url_of(tls_postgres, "", "ada"))
    assert "password" in str(error)
    assert not isinstance(error, StorageUnavailable)


async def test_a_login_that_the_driver_has_not(tls_postgres: PostgresServer) -> None:
    error = await refusal(url_of(tls_postgres, "", "by_gss"))
    assert str(error).startswith("database.url: ")
    assert not isinstance(error, StorageUnavailable)


async def test_a_database_that_wants_tls(tls_postgres: PostgresServer) -> None:
    error = await refusal(url_of(tls_postgres, "sslmode=disable", "tls_only"))
    assert "refuses the login" in str(error)
    await starts(url_of(tls_postgres, "", "tls_only"), required=True)


async def test_a_database_without_tls(postgres_url: str) -> None:
    error = await refusal(f"{postgres_url}?sslmode=require")
    assert str(error).startswith("database.url: sslmode: ")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("options=-c%20nonsense%3D1", "nonsense"),
        ("timezone=Nowhere", "TimeZone"),
        ("work_mem=much", "work_mem"),
        ("role=nobody_we_know", "nobody_we_know"),
    ],
)
async def test_a_setting_that_postgres_refuses(postgres_url: str, query: str, name: str) -> None:
    error = await refusal(f"{postgres_url}?{query}")
    assert str(error).startswith("database.url: ")
    assert name in str(error)
    assert not isinstance(error, StorageUnavailable)


async def test_dead_hosts_of_a_list_are_passed_over(postgres_url: str) -> None:
    dead = f"127.0.0.1:{free_port()}"
    await starts(postgres_url.replace("@", f"@{dead},"), required=True)


async def test_parameters_left_out_are_logged_once_each(postgres_url: str) -> None:
    with structlog.testing.capture_logs() as logs:
        await starts(f"{postgres_url}?channel_binding=require&pgbouncer=true", required=True)
    said = [entry for entry in logs if entry["event"] == "a parameter of database.url is not used"]
    assert [entry["parameter"] for entry in said] == ["channel_binding", "pgbouncer"]
    assert all(entry["reason"] for entry in said)


@pytest.fixture
def pooler(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    server = start_pgbouncer(postgres_server, "transaction")
    yield server
    server.remove()


@pytest.mark.pgbouncer
async def test_a_parameter_that_the_pooler_refuses(pooler: PgBouncer, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    error = await refusal(f"{pooler.url(name)}?options=-c%20geqo%3Doff")
    assert str(error).startswith("database.url: a parameter is refused: ")
    assert "options" in str(error)
    await starts(f"{pooler.url(name)}?synchronous_commit=off&timezone=UTC", required=True)
    await trio.lowlevel.checkpoint()
