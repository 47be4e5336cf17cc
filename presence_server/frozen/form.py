"""In which form the server runs: as a Python package, as a folder, or as a single file."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path


class Form(StrEnum):
    """How the server was installed; the value is the word that people are shown."""

    PACKAGE = "Python package"
    FOLDER = "folder"
    FILE = "single file"


def running_form() -> Form:
    """The form of this process.

    PyInstaller sets ``sys.frozen``, and ``sys._MEIPASS`` to the folder that holds the modules:
    beside the program for the folder, in a temporary folder for the single file.
    """
    if not getattr(sys, "frozen", False):
        return Form.PACKAGE
    beside_the_program = _modules().parent == program_path().parent
    return Form.FOLDER if beside_the_program else Form.FILE


def unpacked_folder() -> Path | None:
    """Where the launcher of the single file unpacked it; None in the other forms."""
    return _modules() if running_form() is Form.FILE else None


def launcher_pid() -> int | None:
    """The process id of the launcher, which is this process's parent.

    Returns:
        None in the other forms. After the launcher has died it is the process id of another
        process, since the kernel gives its children a new parent.
    """
    return os.getppid() if running_form() is Form.FILE else None


def program_path() -> Path:
    """The absolute path of the program that people start.

    A package's program is beside its Python, whichever way this process was started.
    """
    if getattr(sys, "frozen", False):
        return Path(sys.executable).resolve()
    return Path(sys.executable).absolute().parent / "presence-server"


def own_command(*words: str) -> list[str]:
    """The command line that starts this program once more, with other arguments.

    A build that starts itself uses the folder that is unpacked already.

    Args:
        words: the arguments.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, *words]
    return [sys.executable, "-m", "presence_server", *words]


def _modules() -> Path:
    return Path(str(getattr(sys, "_MEIPASS"))).resolve()  # noqa: B009 - mypy does not know it
