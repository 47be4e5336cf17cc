"""A process knows in which form it runs, and who started it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from presence_server.frozen import (
    Form,
    launcher_pid,
    program_path,
    running_form,
    unpacked_folder,
)
from tests.frozen.builds import as_folder, as_single_file


def test_a_python_package_has_no_launcher_and_unpacks_nothing() -> None:
    assert running_form() is Form.PACKAGE
    assert launcher_pid() is None
    assert unpacked_folder() is None
    assert program_path() == Path(sys.executable).parent / "presence-server"


def test_a_folder_has_no_launcher_and_unpacks_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_folder(monkeypatch, tmp_path)
    assert running_form() is Form.FOLDER
    assert launcher_pid() is None
    assert unpacked_folder() is None
    assert program_path() == tmp_path / "presence-server"


def test_a_single_file_has_its_parent_as_launcher_and_a_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_single_file(monkeypatch, tmp_path)
    assert running_form() is Form.FILE
    assert launcher_pid() == os.getppid()
    assert unpacked_folder() == tmp_path
    assert program_path() == Path("/usr/local/bin/presence-server")
