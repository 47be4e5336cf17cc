"""A lock of the kernel on a file, which its owner holds for the life of its process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class LockFile:
    """One lock (``flock``) on the file at a path.

    Args:
        path: the file; it is made if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Lock the file that the path names now; False if another process has locked it.

        A lock on an earlier file, which was deleted or replaced, is given up for the new one.

        Raises:
            OSError: the file cannot be opened.
        """
        if self.is_held():
            return True
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            self.release()
            self._descriptor = descriptor
            # It may have been deleted between the two calls.
            if self.is_held():
                return True

    def is_held(self) -> bool:
        """Whether this process has the lock, and the path still names the file that it locked."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Give up the lock, if it is held. The file stays.

        Without it, a server that waits and one that starts could both lock it.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
