"""Writes log lines without waiting and without a thread: the supervisor may have neither.

A pipe that nobody reads is full after a few hundred lines. Lines that do not fit are dropped.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from contextlib import suppress


class SteadyStream:
    """A text stream to a descriptor, whose writes never block.

    Args:
        descriptor: of a file, a pipe, a terminal or a socket; it stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._socket: socket.socket | None = None
        self._own = -1
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            # Opened anew: the flag would otherwise hold for every process that shares the file.
            with suppress(OSError):
                self._own = os.open(
                    f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
                )

    @classmethod
    def of_stderr(cls) -> SteadyStream:
        """A stream to the place that stderr leads to."""
        return cls(sys.stderr.fileno())

    def write(self, text: str) -> int:
        """Write lines, or drop them if they do not fit now; returns the length of ``text``."""
        data = text.encode(errors="backslashreplace")
        with suppress(OSError):
            if self._socket is not None:
                self._socket.send(data, socket.MSG_DONTWAIT)
            else:
                os.write(self._descriptor if self._own < 0 else self._own, data)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a write keeps nothing back."""

    def isatty(self) -> bool:
        """Whether the lines go to a terminal."""
        return os.isatty(self._descriptor)
