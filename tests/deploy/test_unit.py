"""The systemd unit: what it starts, and that its numbers fit the server's."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from presence_server.cli import EX_TEMPFAIL
from presence_server.settings import Settings, load_settings, setting_kinds
from tests.command import assert_command_parses, server_command

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "presence-server.service"
TEXT = UNIT.read_text()

_MEMORY_DENY_WRITE_EXECUTE = 65
"""prctl(2): PR_SET_MDWE, which what the process starts inherits."""


def value(name: str) -> str:
    """The value of a directive that is there once."""
    (found,) = re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)
    return str(found)


def test_it_starts_a_command_that_exists_with_options_that_exist() -> None:
    program, *words = value("ExecStart").split()
    assert program == "/opt/presence-server/bin/presence-server"
    assert_command_parses(words)


def test_the_manager_waits_until_the_server_says_that_it_is_ready_and_watches_it() -> None:
    assert value("Type") == "notify"
    assert int(value("WatchdogSec")) > 0
    assert value("RestartPreventExitStatus") == "2 CREDENTIALS"
    # Every other exit code is retried, 75 included, and without a limit.
    assert value("Restart") == "on-failure"
    assert str(EX_TEMPFAIL) not in value("RestartPreventExitStatus").split()
    assert value("StartLimitIntervalSec") == "0"


def test_it_waits_for_the_drain_by_default_and_with_the_example_for_production() -> None:
    environ = {"PRESENCE_AUTH__JWT_SECRET": "x" * 32}
    production = load_settings(ROOT / "config" / "production.toml", environ=environ)
    for settings in (Settings(), production):
        assert int(value("TimeoutStopSec")) > settings.server.drain_timeout_s + 2


def test_there_are_descriptors_for_every_connection_and_more() -> None:
    assert int(value("LimitNOFILE")) > 2 * Settings().limits.max_connections


def test_the_database_is_in_the_folder_that_systemd_makes() -> None:
    assert f"DATABASE_URL=sqlite:////var/lib/{value('StateDirectory')}/" in TEXT


def test_every_variable_is_one_that_the_server_reads() -> None:
    for section, key in re.findall(r"PRESENCE_([A-Z]+)__([A-Z_]+)=", TEXT):
        assert f"{section}.{key}".lower().removesuffix("_file") in setting_kinds()


def verified(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")
    program = folder / "presence-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = folder / UNIT.name
    unit.write_text(TEXT.replace("/opt/presence-server/bin/presence-server", str(program)))
    return subprocess.run(
        [analyze, *command, str(unit)], check=False, capture_output=True, text=True
    )


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    done = verified(tmp_path, "verify")
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_calls_the_service_well_locked_up(tmp_path: Path) -> None:
    # From 0 to 100, in tenths of the scale that it shows; 20 is "OK", the best word it has
    # for what talks to the network.
    done = verified(tmp_path, "security", "--offline=true", "--no-pager", "--threshold=20")
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux's")
def test_the_server_needs_no_memory_that_is_writable_and_executable(tmp_path: Path) -> None:
    assert value("MemoryDenyWriteExecute") == "yes"
    libc = ctypes.CDLL(None)

    def deny() -> None:
        libc.prctl(_MEMORY_DENY_WRITE_EXECUTE, 1, 0, 0, 0)

    done = subprocess.run(
        server_command("migrate", "up"),
        preexec_fn=deny,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
