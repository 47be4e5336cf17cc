"""Writes log lines in a thread of its own, so that their reader cannot stop the server.

A pipe that nobody reads is full after a few hundred lines. Without this, the next write would
then stop the event loop: every board, and the handling of signals.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import TextIO

import structlog

MAX_LINES = 10_000
"""How many lines may wait for the reader; later ones are dropped and counted."""

log = structlog.get_logger(__name__)


class LogStream:
    """A text stream whose writes never block: a thread writes them to another stream.

    Args:
        stream: the thread writes here.
        max_lines: how many lines may wait.
    """

    def __init__(self, stream: TextIO, max_lines: int = MAX_LINES) -> None:
        self._stream = stream
        self._max_lines = max_lines
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._pass_on, name="log", daemon=True).start()

    @classmethod
    def of_stderr(cls) -> LogStream:
        """A stream that leads to the same place as stderr, over a file of its own.

        A write that hangs holds the lock of its file. If that were stderr's lock, Python
        would wait for it at the end of the process.
        """
        try:
            file = os.fdopen(os.dup(sys.stderr.fileno()), "w", errors="backslashreplace")
        except OSError:
            return cls(sys.stderr)  # A replacement of stderr without a descriptor.
        return cls(file)

    def write(self, text: str) -> int:
        """Take some lines, or drop them if too many wait; returns the length of ``text``."""
        if len(self._lines) >= self._max_lines:
            self._dropped += 1
        else:
            self._lines.append(text)
            self._idle.clear()
            self._wake.set()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the caller does not wait."""

    def isatty(self) -> bool:
        """Whether the lines go to a terminal."""
        return self._stream.isatty()

    def finish(self, timeout_s: float) -> bool:
        """Wait at most ``timeout_s`` until all lines are written; False if some are not."""
        return self._idle.wait(timeout_s)

    def _pass_on(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._lines:
                # The line that is being written still counts as waiting.
                text = self._lines[0]
                try:
                    self._stream.write(text)
                    self._stream.flush()
                except (OSError, ValueError):
                    pass  # The reader is gone, and there is no other place to report it.
                self._lines.popleft()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                log.warning("log lines dropped", lines=dropped)
                self._wake.set()  # The level of the log may have dropped this warning.
            elif not self._lines:
                self._idle.set()
                if self._lines:
                    self._idle.clear()


def log_uncaught_exceptions() -> None:
    """Log exceptions that end a thread or are raised in a finalizer, instead of printing them."""

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        log.error("a finalizer failed", where=repr(found.object), exc_info=found.exc_value)

    def thread_ended(found: threading.ExceptHookArgs) -> None:
        log.error("a thread failed", exc_info=found.exc_value)

    sys.unraisablehook = unraisable
    threading.excepthook = thread_ended
