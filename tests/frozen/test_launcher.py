"""The server ends with its launcher, and never because /proc looks odd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from presence_server.frozen.launcher import end_with_launcher, is_our_program


def fake_proc(folder: Path, own_pid: int) -> Path:
    """A /proc in which this process has a number and runs this Python."""
    own = folder / str(own_pid)
    own.mkdir()
    (own / "exe").symlink_to(sys.executable)
    (folder / "self").symlink_to(str(own_pid))
    return folder


def test_a_process_with_the_same_program_may_be_the_launcher(tmp_path: Path) -> None:
    assert is_our_program(os.getpid())
    proc = fake_proc(tmp_path, os.getpid())
    (proc / "7").mkdir()
    (proc / "7" / "exe").symlink_to(sys.executable)
    assert is_our_program(7, proc)


def test_another_program_or_no_process_is_not(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        # Until the fork has become another program, it is still ours.
        while Path(f"/proc/{other.pid}/comm").read_text() != "sleep\n":
            pass
        assert not is_our_program(other.pid)
        other.kill()
    assert not is_our_program(7, fake_proc(tmp_path, os.getpid()))


def test_without_proc_or_with_that_of_another_namespace_nothing_is_certain(tmp_path: Path) -> None:
    assert is_our_program(7, tmp_path / "none")
    assert is_our_program(7, fake_proc(tmp_path, os.getpid() + 1))


def test_a_package_is_tied_to_nobody() -> None:
    end_with_launcher()
