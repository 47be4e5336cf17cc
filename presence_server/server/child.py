"""A child process as its supervisor sees it, and how one is started."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NoReturn

from .control import AnyReport, Failed, Order, open_channel, read_reports, send_order

_PR_SET_PDEATHSIG = 1
"""prctl(2): the kernel sends this process a signal when its parent ends."""

FAILED = 70
"""Exit code of a child that ended with an error nobody expected (sysexits.h: EX_SOFTWARE)."""


class Child:
    """A running child.

    Args:
        name: for the log.
        pid: its process id.
        end: the supervisor's end of its channel.
        now: when it was started, in seconds of the supervisor's clock.
    """

    def __init__(self, name: str, pid: int, end: socket.socket, now: float) -> None:
        self.name = name
        self.pid = pid
        self.end = end
        self.failure: Failed | None = None
        """Why it could not start, as it said."""
        self.serving_since: float | None = None
        self._looked_at = now
        self._silent_s = 0.0

    def reports(self, now: float) -> Iterator[AnyReport]:
        """Give the reports that have come. Each one is a sign of life."""
        for report in read_reports(self.end):
            self._silent_s = 0.0
            self._looked_at = now
            yield report

    def silent_s(self, now: float, longest_step_s: float) -> float:
        """For how many seconds it has shown no sign of life.

        The seconds in which the supervisor itself stood still do not count: it heard nobody then.

        Args:
            now: seconds of the supervisor's clock.
            longest_step_s: seconds between two calls, at most; more means that it stood still.
        """
        self._silent_s += min(now - self._looked_at, longest_step_s)
        self._looked_at = now
        return self._silent_s

    def served_s(self, now: float) -> float:
        """For how many seconds it has served; 0 if it has not begun."""
        return 0.0 if self.serving_since is None else now - self.serving_since

    def order(self, order: Order) -> None:
        """Send it an order."""
        send_order(self.end, order)

    def kill(self) -> None:
        """End it now. It can be waited for after that."""
        self._silent_s = 0.0  # It may take a moment, and is not reported again meanwhile.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def start_child(name: str, now: float, run: Callable[[socket.socket], int]) -> Child:
    """Fork a child.

    Args:
        name: for the log.
        now: seconds of the supervisor's clock.
        run: called in the child with its end of the channel; returns the exit code.
    """
    parents, childs = open_channel()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        parents.close()
        _live(parent, childs, run)
    childs.close()
    return Child(name, pid, parents, now)


def _live(parent: int, end: socket.socket, run: Callable[[socket.socket], int]) -> NoReturn:
    """Run in the child, and end it. Nothing of the supervisor's stack goes on here."""
    code = FAILED
    try:
        signal.set_wakeup_fd(-1)
        # A terminal and systemd send their signals to the supervisor as well, which gives orders.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _end_with(parent)
        random.seed()  # Else every child would throw the same dice.
        code = run(end)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, even by ``kill -9``."""
    with suppress(OSError, AttributeError):  # The end of the channel says the same, a bit later.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the call: then the kernel will send nothing.
        os._exit(FAILED)
