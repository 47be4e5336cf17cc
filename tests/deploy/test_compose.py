"""compose.yaml as a text, and its commands without Docker: no image can be fetched here."""

from __future__ import annotations

import json
import os
import re

import pytest
import trio

from presence_server.settings import Settings, load_settings
from tests.command import server_command
from tests.deploy.test_dockerfile import DOCKERFILE, all_of, environment_but_path
from tests.server.process import server_process
from tests.servers import postgres_server, postgres_url, redis_server, redis_url

__all__ = ["postgres_server", "postgres_url", "redis_server", "redis_url"]

TEXT = (DOCKERFILE.parent / "compose.yaml").read_text()
GIVEN = {"POSTGRES_PASSWORD": "letters", "JWT_SECRET": "0123456789abcdef0123456789abcdef"}


def service(name: str) -> str:
    """The lines of a service."""
    (found,) = re.findall(rf"^  {name}:\n((?:    .*\n|\n)+)", TEXT, re.MULTILINE)
    return str(found)


def environment(name: str) -> dict[str, str]:
    """The variables of a service, with the given ones put in."""
    (block,) = re.findall(r"^    environment:\n((?:      .*\n)+)", service(name), re.MULTILINE)
    found = dict(re.findall(r'^      (\w+): "(.*)"$', block, re.MULTILINE))
    assert len(found) == len(block.splitlines())
    return {
        key: re.sub(r"\$\{(\w+):\?\}", lambda name: GIVEN[name[1]], text)
        for key, text in found.items()
    }


def test_its_settings_are_taken_and_let_nobody_in_without_a_token() -> None:
    settings = load_settings(environ={**environment_but_path(), **environment("server")})
    assert settings.auth.mode == "jwt"
    assert settings.database.url == "postgresql://presence:letters@postgres:5432/presence"
    assert settings.redis.url == "redis://redis:6379/0"


def test_the_stores_are_the_ones_that_the_server_is_pointed_to() -> None:
    postgres = environment("postgres")
    assert postgres == {
        "POSTGRES_USER": "presence",
        "POSTGRES_DB": "presence",
        "POSTGRES_PASSWORD": "letters",
    }
    for name in ("postgres", "redis"):
        assert f"      {name}:\n        condition: service_healthy\n" in service("server")
        assert "healthcheck:" in service(name)


def test_its_numbers_and_paths_fit_the_image() -> None:
    assert "context: .." in service("server")
    assert f"dockerfile: deploy/{DOCKERFILE.name}" in service("server")
    assert f'"127.0.0.1:8000:{all_of("EXPOSE")[0]}"' in service("server")
    (grace,) = re.findall(r'stop_grace_period: "(\d+)s"', service("server"))
    assert int(grace) > Settings().server.drain_timeout_s + 2
    (limit,) = re.findall(r"nofile: (\d+)", service("server"))
    assert int(limit) > 2 * Settings().limits.max_connections


def test_secrets_come_from_outside() -> None:
    for name in GIVEN:
        assert f"${{{name}:?}}" in TEXT
    assert not re.search(r"PASSWORD: \"[^$]", TEXT)


@pytest.mark.e2e
@pytest.mark.postgres
@pytest.mark.redis
async def test_its_command_and_health_check_work_with_the_stores_of_this_machine(
    postgres_url: str, redis_url: str
) -> None:
    image, compose = environment_but_path(), environment("server")
    values = {
        "database__url": postgres_url,
        "redis__url": redis_url,
        "server__host": image["PRESENCE_SERVER__HOST"],
        "auth__mode": compose["PRESENCE_AUTH__MODE"],
        "auth__jwt_secret": compose["PRESENCE_AUTH__JWT_SECRET"],
    }
    assert json.loads(all_of("CMD")[0]) == ["serve"]  # What server_process runs.
    async with server_process(**values) as server:
        kept = {name: text for name, text in os.environ.items() if "PRESENCE" not in name}
        environ = kept | image | {"PRESENCE_SERVER__PORT": str(server.address.port)}
        _, *words = json.loads(all_of("HEALTHCHECK")[0].partition("CMD ")[2])
        done = await trio.run_process(
            server_command(*words), env=environ, capture_stderr=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
