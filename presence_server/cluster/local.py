"""The processes of one machine: a folder that they share, and a slot for each of them.

A process owns its slot by a lock of the kernel on a file (``flock``). The kernel frees it when the
process is dead, and not before, so at no time two processes serve one board.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import stat
import tempfile
import time
from pathlib import Path

from ..protocol.errors import PresenceError
from .slots import slot_of

PREFIX = "presence-server-"
"""Begins the name of the folder."""

MAX_PATH = 100
"""Characters of the path of a Unix socket; the kernel takes 107."""

_YOUNG_S = 60.0
"""A folder of this age may belong to a server that has not locked it yet."""

_LINK_BACKLOG = 256
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RuntimeFolderUnusable(PresenceError):
    """The temporary folder cannot hold the folder of the processes."""


class SlotTaken(PresenceError):
    """Another process still owns the slot."""

    may_pass = True


class RuntimeFolder:
    """The folder that the processes of one server share. Only their user can enter it.

    It is locked while one of the processes lives: that tells it from a folder that was left over.

    Args:
        path: the folder, which exists.
        descriptor: of the folder, with a shared lock on it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def make(cls, beside: Path | None = None) -> RuntimeFolder:
        """Make a folder with the mode 0700, and remove those that killed servers have left.

        Args:
            beside: where to make it; None: in the temporary folder of the system.

        Raises:
            RuntimeFolderUnusable: no folder can be made there.
        """
        parent = Path(tempfile.gettempdir()) if beside is None else beside
        _remove_left_overs(parent)
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            descriptor = os.open(path, _READ_FOLDER)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError as error:
            raise RuntimeFolderUnusable(
                f"server.processes: cannot make a folder in {parent}: {error.strerror};"
                " TMPDIR names another place"
            ) from None
        folder = cls(path, descriptor)
        if len(str(folder.link_path(0))) > MAX_PATH:
            folder.remove()
            raise RuntimeFolderUnusable(
                f"server.processes: the path of {parent} is too long for a socket;"
                " TMPDIR names another place"
            )
        return folder

    def link_path(self, slot: int) -> Path:
        """The socket at which a slot's process takes over connections."""
        return self.path / f"link-{slot}"

    def listen(self, slot: int) -> socket.socket:
        """Open the socket of a slot, non-blocking. It outlives the slot's process.

        Raises:
            OSError: the socket cannot be opened.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.setblocking(False)
        sock.bind(str(self.link_path(slot)))
        sock.listen(_LINK_BACKLOG)
        return sock

    def own(self, slot: int) -> int:
        """Own a slot for as long as this process lives.

        Returns:
            The descriptor that holds the lock.

        Raises:
            SlotTaken: another process owns it.
        """
        path = self.path / f"slot-{slot}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise SlotTaken(f"another process still owns slot {slot}") from None
        return descriptor

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


class LocalDirectory:
    """Tells whose board a board is.

    Args:
        slot: of this process.
        slots: how many there are.
    """

    def __init__(self, slot: int, slots: int) -> None:
        self.slot = slot
        self.slots = slots

    def owner_of(self, board_id: str) -> int | None:
        """The slot that owns a board; None if it is this process's own."""
        slot = slot_of(board_id, self.slots)
        return None if slot == self.slot else slot

    def owns(self, board_id: str) -> bool:
        """Whether this process owns a board."""
        return slot_of(board_id, self.slots) == self.slot


def _remove_left_overs(parent: Path) -> None:
    """Remove folders of this user that no process has locked."""
    try:
        candidates = sorted(parent.glob(f"{PREFIX}*"))
    except OSError:
        return
    for path in candidates:
        try:
            descriptor = os.open(path, _READ_FOLDER)
        except OSError:
            continue
        try:
            found = os.fstat(descriptor)
            is_ours = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
            if not is_ours or time.time() - found.st_mtime < _YOUNG_S:
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(descriptor)
