"""The file of a SQLite store: made for its owner only, and noticed when it is replaced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_MODE = 0o600
"""The rows hold session ids, which resume sessions. SQLite gives its other files the same mode."""


def make_file(path: Path) -> None:
    """Make an empty file, readable for this user only, unless there is a file already.

    A file that is there is not opened: POSIX drops every lock of a process on a file as soon as
    the process closes any of its descriptors, and SQLite would lose the locks of its connections.

    Raises:
        OSError: the folder or the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with suppress(FileExistsError):
        os.close(os.open(path.resolve(), flags, _MODE))


class FileIdentity:
    """Which file a path leads to, so that another one in its place is noticed.

    SQLite goes on with a file that was removed or replaced, and its writes are lost.

    Args:
        path: an existing file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)

    @property
    def has_changed(self) -> bool:
        """Whether the path leads to another file now, or to none."""
        return _identity(self._path) != self._identity


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
