"""The Dockerfile, as far as it can be checked without an image to start from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from presence_server import __version__
from presence_server.settings import Settings, SettingsError, load_settings, setting_kinds
from tests.certificates import self_signed
from tests.command import assert_command_parses, server_command
from tests.server.process import server_process

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
STEPS = [
    (step, rest.strip())
    for step, rest in re.findall(
        r"^([A-Z]+) (.*)$", DOCKERFILE.read_text().replace("\\\n", " "), re.MULTILINE
    )
]
IGNORED, *KEPT = [
    line
    for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    if not line.startswith("#")
]


def all_of(step: str) -> list[str]:
    return [rest for name, rest in STEPS if name == step]


def copied() -> list[str]:
    """What is copied out of the repository."""
    copies = [rest.split()[:-1] for rest in all_of("COPY") if not rest.startswith("--from")]
    return [name.rstrip("/") for names in copies for name in names]


def environment() -> dict[str, str]:
    (line,) = all_of("ENV")
    return {name: text.strip('"') for name, text in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}


def environment_but_path() -> dict[str, str]:
    """The image's settings, for a command of this machine."""
    return {name: text for name, text in environment().items() if name != "PATH"}


def settings(environ: dict[str, str]) -> Settings:
    return load_settings(environ=environ)


def test_what_it_copies_exists_and_is_not_ignored() -> None:
    assert IGNORED == "*"
    for name in copied():
        assert (ROOT / name).exists(), name
        assert f"!{name}" in KEPT, name
    assert {line[1:] for line in KEPT if line.startswith("!")} == set(copied())


@pytest.mark.parametrize("secret", ["var/presence.db", ".git/config", "tests/keys.py", ".env"])
def test_nothing_else_reaches_the_builder(secret: str) -> None:
    assert not any(fnmatch(secret, f"{line[1:]}*") for line in KEPT if line.startswith("!"))


def test_what_it_copies_is_enough_to_build_the_wheel(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for name in copied():
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, source / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run(
        [*build, "--outdir", str(tmp_path), str(source)], check=True, capture_output=True
    )
    assert list(tmp_path.glob("presence_server-*.whl"))


def test_its_python_is_one_that_the_server_runs_on_and_both_stages_have_one_glibc() -> None:
    builder, runner = all_of("FROM")
    minor, debian = re.findall(r"^python:3\.(\d+)-slim-(\w+) AS build$", builder)[0]
    assert int(minor) >= 11
    assert runner == f"debian:{debian}-slim"


def test_it_holds_the_folder_that_the_build_makes() -> None:
    assert "python deploy/packaging/build.py" in all_of("RUN")
    build = (ROOT / "deploy" / "packaging" / "build.py").read_text()
    assert 'BUILD = ROOT / "build" / "binary"' in build
    (copied_folder,) = [rest for rest in all_of("COPY") if rest.endswith("/opt/presence-server")]
    assert copied_folder.split()[1] == "/src/build/binary/dist/folder"
    assert environment()["PATH"].startswith("/opt/presence-server:")


def test_its_labels_name_the_version_and_the_licence() -> None:
    (line,) = all_of("LABEL")
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', line))
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    assert labels["title"] == "presence-server"
    assert labels["revision"] == "$COMMIT"


def test_it_runs_a_command_that_exists_as_somebody_without_rights() -> None:
    assert json.loads(all_of("ENTRYPOINT")[0]) == ["presence-server"]
    assert_command_parses(json.loads(all_of("CMD")[0]))
    (user,) = all_of("USER")
    # Numbers, which Kubernetes can tell from root's.
    uid, gid = map(int, user.split(":"))
    assert uid > 0 < gid
    made = next(rest for rest in all_of("RUN") if "useradd" in rest)
    assert f"groupadd --gid {gid} " in made
    assert f"useradd --uid {uid} --gid {gid} " in made


def test_its_port_is_the_default_and_its_variables_are_settings() -> None:
    port = str(Settings().server.port)
    assert all_of("EXPOSE") == [port]
    environ = environment()
    assert environ["PRESENCE_SERVER__PORT"] == port
    for name in environ:
        if name.startswith("PRESENCE_"):
            assert name.removeprefix("PRESENCE_").lower().replace("__", ".") in setting_kinds()


def test_the_database_is_in_the_volume_which_is_the_users_own() -> None:
    (volume,) = all_of("VOLUME")
    assert environment()["DATABASE_URL"].startswith(f"sqlite:///{volume}/")
    uid, gid = all_of("USER")[0].split(":")
    assert re.search(rf"install -d -o {uid} -g {gid} .*{volume}", str(all_of("RUN")))


def test_it_lets_nobody_in_until_it_is_told_who_may() -> None:
    with pytest.raises(SettingsError, match=r"auth\.mode"):
        settings(environment())
    settings({**environment(), "PRESENCE_AUTH__ALLOW_ANONYMOUS": "true"})


def test_it_listens_for_all_with_the_example_for_production_too() -> None:
    environ = {**environment(), "PRESENCE_AUTH__JWT_SECRET": "x" * 32}
    production = load_settings(ROOT / "config" / "production.toml", environ=environ)
    assert production.server.host == ("0.0.0.0",)


@pytest.mark.e2e
async def test_the_health_check_tells_a_server_from_none(tmp_path: Path) -> None:
    program, *words = json.loads(all_of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert program == "presence-server"

    def exit_code(port: int, **settings: str) -> int:
        # A proxy for the way out is not for the way to oneself.
        environ = {name: text for name, text in os.environ.items() if "PRESENCE" not in name}
        environ |= {"http_proxy": "http://127.0.0.1:1", **environment_but_path(), **settings}
        environ["PRESENCE_SERVER__PORT"] = str(port)
        return subprocess.run(
            server_command(*words), check=False, capture_output=True, env=environ
        ).returncode

    database = f"sqlite:///{tmp_path}/presence.db"
    async with server_process(database__url=database) as server:
        assert exit_code(server.address.port) == 0
        await server.kill()
        assert exit_code(server.address.port) != 0
    certificate, key = map(str, self_signed(tmp_path))
    async with server_process(
        database__url=database, server__tls_certfile=certificate, server__tls_keyfile=key
    ) as server:
        tls = {"PRESENCE_SERVER__TLS_CERTFILE": certificate}
        assert exit_code(server.address.port, **tls) == 0
