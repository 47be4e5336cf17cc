"""URLs of PostgreSQL as hosting services, drivers and people write them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from presence_server.settings import Settings
from presence_server.storage.errors import StorageError
from presence_server.storage.postgres_tls import tls_context
from presence_server.storage.postgres_url import PostgresTarget
from presence_server.storage.url import parse_url
from tests.certificates import self_signed

NEON = "postgresql://me:pw@ep-a-b-pooler.eu-central-1.aws.neon.tech/db"
HOSTED = {
    "Neon": f"{NEON}?sslmode=require&channel_binding=require",
    "Neon with an endpoint": f"{NEON}?options=endpoint%3Dep-a-b&sslmode=require",
    "Heroku": "postgres://u:pw@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1?sslmode=require",
    "Supabase": "postgresql://postgres.ref:pw@aws-0-eu-west-1.pooler.supabase.com:6543/postgres"
    "?pgbouncer=true&connection_limit=1",
    "Vercel and Supabase": "postgres://postgres.ref:pw@aws-0.pooler.supabase.com:6543/postgres"
    "?sslmode=require&supa=base-pooler.x",
    "Aiven": "postgres://avnadmin:pw@pg-1.aivencloud.com:12345/defaultdb?sslmode=require",
    "DigitalOcean": "postgresql://doadmin:pw@db-do-user-1.b.db.ondigitalocean.com:25060/defaultdb"
    "?sslmode=require",
    "CockroachDB": "postgresql://me:pw@free-tier.cockroachlabs.cloud:26257/defaultdb"
    "?sslmode=verify-full&options=--cluster%3Da-1",
    "PlanetScale": "postgresql://me:pw@eu.pg.psdb.cloud/postgres"
    "?sslmode=verify-full&sslrootcert=system&sslnegotiation=direct",
    "Prisma": "postgresql://me:pw@db:5432/mydb?schema=public&connection_limit=5&pool_timeout=2"
    "&connect_timeout=15&socket_timeout=3&sslaccept=strict&statement_cache_size=0",
    "JDBC's words": "postgresql://db/x?ssl=true&currentSchema=app&prepareThreshold=0"
    "&targetServerType=primary&tcpKeepAlive=true",
    "node-postgres": "postgres://me:pw@db/x?ssl=true&sslmode=no-verify&uselibpqcompat=true",
    "libpq": "postgresql://db/x?keepalives=1&keepalives_idle=30&keepalives_interval=10"
    "&keepalives_count=3&tcp_user_timeout=1000&gssencmode=disable&sslcompression=0&sslsni=1"
    "&load_balance_hosts=random&client_encoding=utf8&fallback_application_name=a",
    "SQLAlchemy": "postgresql+asyncpg://me:pw@db/x?ssl=require&prepared_statement_cache_size=0",
    "pgx": "postgres://me:pw@db/x?pool_max_conns=10&default_query_exec_mode=exec",
    "Rails": "postgres://me:pw@db/x?pool=5&encoding=unicode&prepared_statements=false",
    "Google Cloud": "postgresql://me:pw@localhost/x?host=/cloudsql/project:region:name",
    "settings": "postgresql://db/x?timezone=UTC&synchronous_commit=off&app.tenant=7",
    "several hosts": "postgresql://me:pw@h1:5433,h2,[::1]:5434/x?target_session_attrs=read-write",
    "unknown": "postgresql://db/x?a_new_parameter_of_some_service=1",
    "empty": "postgresql://db/x?sslmode=&connect_timeout=&",
}


def target(url: str) -> PostgresTarget:
    found = parse_url(url).postgres
    assert found is not None
    return found


def unused(url: str) -> set[str]:
    return {parameter.name for parameter in parse_url(url).unused}


@pytest.mark.parametrize("url", HOSTED.values(), ids=HOSTED)
def test_what_hosts_hand_out_is_accepted_by_settings_and_store(url: str) -> None:
    assert Settings.of({"database.url": url}).database.url == url
    assert parse_url(url).unused is not None


def test_no_parameter_reaches_the_server_that_it_may_refuse() -> None:
    for url in HOSTED.values():
        assert set(target(url).startup) <= {"application_name", "options"}


def test_a_parameter_left_out_is_named_with_a_reason() -> None:
    assert unused(HOSTED["Neon"]) == {"channel_binding"}
    assert unused(HOSTED["Supabase"]) == {"pgbouncer", "connection_limit"}
    assert unused(HOSTED["unknown"]) == {"a_new_parameter_of_some_service"}
    assert unused(HOSTED["settings"]) == unused(HOSTED["several hosts"]) == set()
    for url in HOSTED.values():
        assert all(parameter.reason for parameter in parse_url(url).unused)


def test_parameters_that_mean_something_here_are_used() -> None:
    assert target(HOSTED["Neon with an endpoint"]).startup["options"] == "endpoint=ep-a-b"
    assert target("postgresql://db/x?application_name=web").startup["application_name"] == "web"
    assert target(HOSTED["libpq"]).startup["application_name"] == "a"
    assert target("postgresql://db/x?connect_timeout=2").connect_s == 2
    assert target(HOSTED["settings"]).settings == {
        "timezone": "UTC",
        "synchronous_commit": "off",
        "app.tenant": "7",
    }
    assert target("postgresql://a/x?host=b&port=7&user=u&password=p&dbname=d") == (
        target("postgresql://u:p@b:7/d")
    )


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("db/x", [("db", 5432)]),
        ("h1:5433,h2,[::1]:5434/x", [("h1", 5433), ("h2", 5432), ("::1", 5434)]),
        ("h1,h2/x?port=7", [("h1", 7), ("h2", 7)]),
        ("/x?host=h1,h2&port=7,8", [("h1", 7), ("h2", 8)]),
        ("%2Frun%2Fpostgresql/x", [("/run/postgresql", 5432)]),
        (":5433/x?host=/run/postgresql", [("/run/postgresql", 5433)]),
        ("/x?hostaddr=10.0.0.1", [("10.0.0.1", 5432)]),
        ("localhost/x?host=/cloudsql/p:region:name", [("/cloudsql/p:region:name", 5432)]),
    ],
)
def test_hosts_and_ports(url: str, hosts: list[tuple[str, int]]) -> None:
    assert list(target(f"postgresql://{url}").hosts) == hosts


def test_of_several_hosts_one_that_takes_writes_is_used() -> None:
    assert target("postgresql://h1,h2/x").wants_writable
    assert not target("postgresql://h1/x").wants_writable
    assert not target("postgresql://h1,h2/x?target_session_attrs=any").wants_writable


@pytest.mark.parametrize(
    ("login", "user", "password"),
    [
        ("me:p@ss", "me", "p@ss"),
        ("me:p:ss", "me", "p:ss"),
        ("me:[YOUR-PASSWORD]", "me", "[YOUR-PASSWORD]"),
        ("me:p%40s%2Fs", "me", "p@s/s"),
        ("me:100%", "me", "100%"),
        ("me:a+b", "me", "a+b"),
        ("postgres.ref:pw", "postgres.ref", "pw"),
        ("me", "me", None),
    ],
)
def test_logins_with_odd_characters(login: str, user: str, password: str | None) -> None:
    found = target(f"postgresql://{login}@db:5433/x")
    assert (found.user, found.password, found.hosts) == (user, password, (("db", 5433),))
    assert "ss" not in parse_url(f"postgresql://{login}@db:5433/x").shown


@pytest.mark.parametrize(
    "rest", ["me:p@hunter2/1@db/x", "me:p@hunter2#1@db/x", "me:p@hunter2?1@db/x", "db/x#hunter2"]
)
def test_a_login_that_ends_early_is_refused_and_not_shown(rest: str) -> None:
    with pytest.raises(StorageError, match=r"^database\.url: [^\n]*%3F") as caught:
        parse_url(f"postgresql://{rest}")
    assert "hunter2" not in str(caught.value)


REFUSED = {
    "sslmode=verify": "sslmode",
    "sslmode=Require ": "sslmode",
    "ssl=perhaps": "ssl",
    "sslmod=verify-full": "sslmod",
    "sslrootcert=/nowhere/ca.pem": "sslrootcert",
    "sslrootcert=/": "sslrootcert",
    "sslmode=require&sslcert=/nowhere/c.pem": "sslcert",
    "sslcert=/dev/null&sslkey=/nowhere/k.pem": "sslkey",
    "sslmode=verify-ca&sslcrl=/nowhere/c.pem": "sslcrl",
    "sslnegotiation=later": "sslnegotiation",
    "sslnegotiation=direct&sslmode=disable": "sslnegotiation",
    "sslmode=require&ssl_min_protocol_version=SSLv3": "ssl_min_protocol_version",
    "gssencmode=require": "gssencmode",
    "sslcertmode=require": "sslcertmode",
    "require_auth=scram-sha-256": "require_auth",
    "requirepeer=postgres": "requirepeer",
    "replication=database": "replication",
    "service=mine": "service",
    "target_session_attrs=read-only": "target_session_attrs",
    "target_session_attrs=prefer-standby": "target_session_attrs",
    "connect_timeout=soon": "connect_timeout",
    "port=abc": "port",
    "port=70000": "port",
    "port=0": "port",
    "port=1,2": "port",
    "passfile=/nowhere": "passfile",
    "application_name=a%00b": "application_name",
}


@pytest.mark.parametrize(("query", "name"), REFUSED.items(), ids=REFUSED)
def test_a_parameter_that_cannot_work_is_refused_by_name(query: str, name: str) -> None:
    with pytest.raises(StorageError, match=rf"^database\.url: {name}\b[^\n]*$"):
        parse_url(f"postgresql://me:pw@db/x?{query}")


@pytest.mark.parametrize("spec", ["h1,,h2", ",", "a b", "db..x", "[::1", "db:", "x" * 64, "<host>"])
def test_a_host_that_is_none_is_refused_unless_only_its_port_is_empty(spec: str) -> None:
    if spec == "db:":
        assert target(f"postgresql://{spec}/x").hosts == (("db", 5432),)
        return
    with pytest.raises(StorageError, match=r"^database\.url: [^\n]*host[^\n]*$"):
        parse_url(f"postgresql://{spec}/x")


@pytest.mark.parametrize(
    ("query", "verify", "names_host"),
    [
        ("sslmode=require", ssl.CERT_NONE, False),
        ("ssl=true", ssl.CERT_NONE, False),
        ("requiressl=1", ssl.CERT_NONE, False),
        ("sslmode=verify-ca", ssl.CERT_REQUIRED, False),
        ("sslmode=verify-full", ssl.CERT_REQUIRED, True),
        ("sslaccept=strict", ssl.CERT_REQUIRED, True),
        ("sslrootcert=system", ssl.CERT_REQUIRED, True),
        ("sslmode=require&sslrootcert=system", ssl.CERT_REQUIRED, True),
        ("sslmode=require&sslrootcert={ca}", ssl.CERT_REQUIRED, False),
        ("sslrootcert={ca}", ssl.CERT_REQUIRED, False),
        ("sslmode=prefer&sslrootcert={ca}", ssl.CERT_REQUIRED, False),
    ],
)
def test_what_is_verified(
    query: str,
    verify: ssl.VerifyMode,
    names_host: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    context = tls_context(
        target(f"postgresql://db/x?{query.format(ca=self_signed(tmp_path)[0])}").tls
    )
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (verify, names_host)


@pytest.mark.parametrize("query", ["", "?sslmode=prefer", "?sslmode=disable", "?ssl=false"])
def test_without_a_demand_for_tls_the_mode_decides(query: str) -> None:
    assert tls_context(target(f"postgresql://db/x{query}").tls) is None
