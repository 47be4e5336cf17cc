"""Every command of the built programs works in an empty folder, with nothing set."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jwt
import pytest

from presence_server import __version__
from tests.binary.kit import PATIENCE_S, ROOT, Program
from tests.certificates import self_signed
from tests.keys import SECRET, claims, private_key, public_pem
from tests.servers import (
    PostgresServer,
    postgres_server,
    postgres_url,
    redis_server,
    redis_url,
)

__all__ = ["postgres_server", "postgres_url", "redis_server", "redis_url"]

STATIC = ROOT / "presence_server" / "web" / "static"
QUIET = {"info"}


def test_serves_pages_files_and_the_description_of_its_api_and_is_ready(program: Program) -> None:
    with program.serving() as server:
        assert json.loads(server.get("/readyz")) == {
            "status": "ready",
            "database": "ok",
            "cache": "ok",
        }
        assert b"<!doctype html>" in server.get("/boards/demo").lower()
        for path in STATIC.rglob("*"):
            if path.is_file() and path.suffix != ".html":
                name = path.relative_to(STATIC)
                assert server.get(f"/static/{name}") == path.read_bytes(), name
        assert json.loads(server.get("/openapi.json"))["info"]["version"] == __version__
        assert b"presence_connections" in server.get("/metrics")
        assert {entry["level"] for entry in server.log} == QUIET, server.lines
        assert (program.home / "var" / "presence.db").is_file()


def test_says_which_build_it_is(program: Program) -> None:
    version, build, inside = program.output("--version").splitlines()
    assert version == f"presence-server {__version__}"
    form = "folder" if program.path.parent.name == "folder" else "single file"
    assert re.fullmatch(rf"{form}, commit [0-9a-f]{{12}}\+?, {os.uname().machine}", build)
    assert re.fullmatch(r"Python 3\.[\d.]+, SQLite 3\.[\d.]+, OpenSSL 3\.[\d.]+", inside)


def test_explains_its_commands(single: Program) -> None:
    text = single.output("--help")
    for command in ("serve", "migrate", "check-config", "config", "unit", "health", "token"):
        assert re.search(rf"^  {command} ", text, re.MULTILINE), command


def test_prints_settings_that_it_takes_and_a_unit_that_starts_it(program: Program) -> None:
    example = program.output("config", "example")
    assert example == (ROOT / "config" / "example.toml").read_text()
    (program.home / "config.toml").write_text(example)
    assert program.output("check-config", "--config", "config.toml") == "the settings are fine\n"
    unit = program.run("unit").stdout
    assert f"ExecStart={program.path} serve " in unit
    assert ("NotifyAccess=all" in unit) == (program.path.parent.name != "folder")


def test_migrates_up_and_down_on_a_path_with_a_blank_and_a_percent_sign(program: Program) -> None:
    database = ["--database", f"sqlite:///{program.home}/my 100%/presence.db"]
    status = program.run("migrate", "status", *database)
    assert (status.returncode, status.stdout[:10]) == (1, "no tables:")
    assert program.output("migrate", "up", *database).startswith("at revision ")
    assert program.output("migrate", "status", *database).endswith(": up to date\n")
    assert program.output("migrate", "down", "base", "--yes", *database) == "no tables left\n"
    assert (program.home / "my 100%" / "presence.db").is_file()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nonsense"], 2),
        (["serve", "--port", "70000"], 2),
        (["check-config", "--config", "none.toml"], 2),
        (["watch", "b", "--server", "127.0.0.1:1"], 2),
        (["health", "--server", "127.0.0.1:1"], 1),
        (["load", "--server", "127.0.0.1:1", "--users", "1", "--seconds", "0.1"], 1),
        (["migrate", "up", "--database", "sqlite:////dev/null/x.db"], 2),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else None,
)
def test_ends_with_the_code_that_the_package_ends_with(
    single: Program, words: list[str], code: int
) -> None:
    done = single.run(*words)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr


def test_watches_loads_and_asks_for_its_health(single: Program) -> None:
    with single.serving() as server:
        single.output("health", "--server", server.url)
        options = ["--users", "20", "--seconds", "1", "--board", "demo"]
        report = single.output("load", "--server", server.url, *options)
        assert "joined     20, queued 0, failed 0" in report
        watching = single.start("watch", "demo", "--server", server.url, "--user", "ada")
        assert watching.stdout is not None
        assert "joined, 1 present: ada" in watching.stdout.readline()
        watching.kill()
        watching.communicate(timeout=PATIENCE_S)


def test_tokens_signed_with_a_secret_let_people_in(single: Program) -> None:
    jwt_mode = {"PRESENCE_AUTH__MODE": "jwt", "PRESENCE_AUTH__JWT_SECRET": SECRET}
    minted = single.output("token", "--user", "ada", "--board", "demo", **jwt_mode).strip()
    assert jwt.decode(minted, SECRET, algorithms=["HS256"])["sub"] == "ada"
    with single.serving(**jwt_mode) as server:
        assert "present: ada" in _first_line(single, server.url, minted)
        refused = single.run("watch", "demo", "--server", server.url)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr


def test_tokens_signed_with_ed25519_let_people_in(single: Program) -> None:
    jwt_mode = {"PRESENCE_AUTH__MODE": "jwt", "PRESENCE_AUTH__JWT_PUBLIC_KEY": public_pem("EdDSA")}
    with single.serving(**jwt_mode) as server:
        assert "present: ada" in _first_line(
            single, server.url, jwt.encode(claims("ada"), private_key("EdDSA"), "EdDSA")
        )


def test_speaks_tls_both_ways(single: Program) -> None:
    certificate, key = self_signed(single.home)
    key.chmod(0o644)
    tls = {
        "PRESENCE_SERVER__TLS_CERTFILE": str(certificate),
        "PRESENCE_SERVER__TLS_KEYFILE": str(key),
    }
    with single.serving(**tls) as server:
        assert server.url.startswith("https://")
        single.output("health", "--server", server.url)
        trusting = {"SSL_CERT_FILE": str(certificate)}
        assert "present: ada" in _first_line(single, server.url, None, **trusting)
        assert single.run("watch", "demo", "--server", server.url).returncode == 2


@pytest.mark.postgres
@pytest.mark.redis
def test_stores_in_postgresql_and_redis(
    program: Program, postgres_server: PostgresServer, postgres_url: str, redis_url: str
) -> None:
    with program.serving("--database", postgres_url, "--redis", redis_url) as server:
        options = ["--users", "3", "--seconds", "0.5", "--board", "demo"]
        program.output("load", "--server", server.url, *options)
        assert json.loads(server.get("/readyz"))["status"] == "ready"
        (row,) = postgres_server.execute("SELECT count(*) FROM collab.presence", postgres_url)
        assert row["count"] == 3
        assert {entry["level"] for entry in server.log} == QUIET, server.lines


def _first_line(program: Program, url: str, minted: str | None, **environ: str) -> str:
    """What ``watch`` prints when it is on the board."""
    words = ["watch", "demo", "--server", url, "--user", "ada"]
    if minted is not None:
        (program.home / "token").write_text(minted)
        words += ["--token-file", str(Path("token"))]
    process = program.start(*words, environ=environ)
    assert process.stdout is not None
    try:
        return process.stdout.readline()
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
