from __future__ import annotations

from pathlib import Path

import pytest

from presence_server.storage.errors import StorageError
from presence_server.storage.url import Dialect, parse_url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/presence.db", "var/presence.db"),
        ("sqlite:////abs/presence.db", "/abs/presence.db"),
        ("sqlite+aiosqlite:///x.db", "x.db"),
    ],
)
def test_sqlite_urls_name_a_file(url: str, path: str) -> None:
    store = parse_url(url)
    assert (store.dialect, store.path) == (Dialect.SQLITE, Path(path))


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2"]
)
def test_the_scheme_of_postgres_may_name_any_driver(scheme: str) -> None:
    assert parse_url(f"{scheme}://me:secret@db:5433/x").dialect is Dialect.POSTGRES


@pytest.mark.parametrize("parameter", ["mode=ro", "cache=shared", "timeout=5"])
def test_a_parameter_of_sqlite_is_refused_by_name(parameter: str) -> None:
    name = parameter.partition("=")[0]
    with pytest.raises(StorageError, match=rf"^database\.url: {name}: [^\n]*$"):
        parse_url(f"sqlite:///x.db?{parameter}")


def test_a_password_is_never_shown() -> None:
    assert parse_url("postgresql://me:secret@db:5433/x").shown == "postgresql://me@db:5433/x"


def test_a_postgres_url_may_name_a_socket_folder_instead_of_a_host() -> None:
    assert parse_url("postgresql:///x?host=/run/postgresql").dialect is Dialect.POSTGRES


@pytest.mark.parametrize(
    "url",
    [
        "",
        "presence.db",
        "mysql://me@db/x",
        "sqlite://presence.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgresql:db",
        "postgresql:///x",
        "postgresql://db:port/x",
        "postgresql://[db/x",
    ],
)
def test_anything_else_is_refused_in_one_line_that_names_the_setting(url: str) -> None:
    with pytest.raises(StorageError, match=r"^database\.url: .*use [^\n]*$"):
        parse_url(url)


@pytest.mark.parametrize("password", ["1/hunter2", "hunter2/1", "12#hunter2", "12?hunter2"])
def test_what_would_end_a_password_early_is_refused_without_showing_it(password: str) -> None:
    with pytest.raises(StorageError, match=r"^database\.url: [^\n]*%2F") as caught:
        parse_url(f"postgresql://me:{password}@db/x")
    assert "hunter2" not in str(caught.value)


def test_such_signs_may_stand_behind_the_host() -> None:
    store = parse_url("postgresql://me:secret@db/x?application_name=a@b")
    assert store.shown == "postgresql://me@db/x"
    assert parse_url("postgresql://db/x").shown == "postgresql://db/x"
