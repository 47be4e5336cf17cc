"""Where logs go without anybody waiting: whoever reads them may stall.

A pipe that nobody empties is full after a few hundred lines, and a write to it would then
stop the event loop, with everybody on every board, and every signal.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import TextIO

import structlog

MAX_LINES = 10_000
"""How many wait for the reader; later ones are dropped, and counted."""

log = structlog.get_logger(__name__)


class LogStream:
    """A text stream whose writes never block: a thread of its own passes them on.

    Args:
        stream: where they go in the end.
        max_lines: how many may wait.
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
        """One that leads to where stderr does, over a file of its own.

        A write that hangs keeps the lock of its file, and at the end of the process Python
        would wait for that of stderr.
        """
        try:
            file = os.fdopen(os.dup(sys.stderr.fileno()), "w", errors="backslashreplace")
        except OSError:
            return cls(sys.stderr)  # What took its place has no descriptor.
        return cls(file)

    def write(self, text: str) -> int:
        """Take some lines; none of them if too many wait."""
        if len(self._lines) >= self._max_lines:
            self._dropped += 1
        else:
            self._lines.append(text)
            self._idle.clear()
            self._wake.set()
        return len(text)

    def flush(self) -> None:
        """Nothing: who logs does not wait."""

    def isatty(self) -> bool:
        """Whether somebody reads along."""
        return self._stream.isatty()

    def finish(self, timeout_s: float) -> bool:
        """Wait until everything was passed on, or not; for the end of the process."""
        return self._idle.wait(timeout_s)

    def _pass_on(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._lines:
                # What is being written still counts as waiting.
                text = self._lines[0]
                try:
                    self._stream.write(text)
                    self._stream.flush()
                except (OSError, ValueError):
                    pass  # Nobody reads any more, and there is nowhere to say so.
                self._lines.popleft()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                log.warning("log lines dropped", lines=dropped)
                self._wake.set()  # For it may have been filtered out.
            elif not self._lines:
                self._idle.set()
                if self._lines:
                    self._idle.clear()


def log_what_nobody_catches() -> None:
    """Have Python tell the log, not stderr, of what ends a thread or comes up in a finalizer."""

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        log.error("unraisable", where=repr(found.object), exc_info=found.exc_value)

    def thread_ended(found: threading.ExceptHookArgs) -> None:
        log.error("thread ended", exc_info=found.exc_value)

    sys.unraisablehook = unraisable
    threading.excepthook = thread_ended
