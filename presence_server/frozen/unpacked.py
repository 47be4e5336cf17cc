"""The temporary folder of the single file: held while it runs, removed if it was left over.

The launcher removes its folder when its child has ended. After ``kill -9`` nobody does, and 50 MB
stay. The next start removes them. It removes only what is certainly ours and unused: a folder
with the launcher's prefix that holds our marker, belongs to our user, and is not locked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from pathlib import Path

from .form import unpacked_folder

MARKER = ".presence-server"
"""The file that tells our folder from that of another program built with PyInstaller."""

_PREFIX = "_MEI"
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_locks: list[int] = []
"""Descriptors that are kept open until the process ends, and their locks with them."""


def hold_folder(folder: Path) -> None:
    """Lock the folder for the life of this process, then put the marker there.

    The order matters: a folder with a marker and without a lock belongs to nobody. The lock is
    shared, and on the folder itself, so that systemd-tmpfiles(8) leaves the folder alone too.

    Raises:
        OSError: the folder cannot be read or written.
    """
    descriptor = os.open(folder, _READ_FOLDER)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _locks.append(descriptor)
    (folder / MARKER).touch(mode=0o600)


def remove_left_overs(beside: Path) -> list[Path]:
    """Remove the folders that killed servers have left beside a folder.

    Args:
        beside: the folder of this process, which stays.

    Returns:
        What was removed. A folder that cannot be read or removed is passed over in silence.
    """
    others = [path for path in _candidates(beside.parent) if path != beside]
    return [path for path in others if _remove_if_unused(path)]


def tidy() -> None:
    """Hold the folder of this process and remove left-over ones; in other forms do nothing.

    Raises:
        OSError: the folder cannot be read or written.
    """
    folder = unpacked_folder()
    if folder is not None:
        hold_folder(folder)
        remove_left_overs(folder)


def trouble(error: BaseException) -> str | None:
    """One line for an operator, if an error comes from the temporary folder.

    Returns:
        None for every other error, and in the other forms.
    """
    folder = unpacked_folder()
    if folder is None or not isinstance(error, (OSError, ImportError)):
        return None
    names = f"{error} {getattr(error, 'filename', '')} {getattr(error, 'path', '')}"
    if str(folder) not in names and "failed to map segment" not in names:
        return None
    return (
        f"cannot use the files unpacked into {folder}: {error}; set TMPDIR to a folder that is "
        "writable and not mounted noexec, or install the folder form, which unpacks nothing"
    )


def _candidates(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob(f"{_PREFIX}*"))
    except OSError:
        return []


def _remove_if_unused(path: Path) -> bool:
    try:
        descriptor = os.open(path, _READ_FOLDER)
    except OSError:
        return False
    try:
        if not _is_ours(descriptor):
            return False
        # Fails while the server that unpacked it lives.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return not path.exists()


def _is_ours(descriptor: int) -> bool:
    """Whether folder and marker are our user's.

    Raises:
        OSError: there is no marker.
    """
    marker = os.stat(MARKER, dir_fd=descriptor, follow_symlinks=False)
    owners = {os.fstat(descriptor).st_uid, marker.st_uid}
    return stat.S_ISREG(marker.st_mode) and owners == {os.geteuid()}
