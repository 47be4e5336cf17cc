"""The single file receives one signal twice; the server must count it once.

The launcher passes every signal on to its child. Ctrl-C reaches both, since a terminal
signals the whole process group, and so does systemd with ``KillMode=control-group``. The
child ignores the second copy: the user did not send a second signal.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import AsyncIterator
from types import FrameType

import trio

from .form import Form, running_form

ECHO_WINDOW_S = 1.0
"""A signal with the same number within this time of the first is taken for its echo. The
launcher sends it within milliseconds; the rest is for a machine that is very busy."""


class EchoFilter:
    """Tells the echoes from the signals; without a launcher there are none."""

    def __init__(self) -> None:
        self._has_launcher = running_form() is Form.FILE
        self._counted_at: dict[int, float] = {}

    def is_echo(self, number: int, now: float) -> bool:
        """Whether a signal that came now is an echo.

        Args:
            number: of the signal.
            now: seconds of a clock that nobody sets.
        """
        if self._has_launcher and now - self._counted_at.get(number, -math.inf) < ECHO_WINDOW_S:
            return True
        self._counted_at[number] = now
        return False


async def without_echoes(signals: AsyncIterator[int]) -> AsyncIterator[int]:
    """The numbers of the signals, without the echoes if this process has a launcher.

    Args:
        signals: from ``trio.open_signal_receiver``.

    Yields:
        The number of each signal that is not an echo.
    """
    echoes = EchoFilter()
    async for number in signals:
        if not echoes.is_echo(number, trio.current_time()):
            yield number


def end_at_next_signal(*numbers: int) -> None:
    """Let the next of these signals end the process, unless it is an echo.

    Call it in the main thread, when the first of the signals has arrived.

    Args:
        numbers: of the signals.
    """
    if running_form() is not Form.FILE:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        return
    echoes_until = time.monotonic() + ECHO_WINDOW_S

    def end_unless_echo(number: int, _frame: FrameType | None) -> None:
        if time.monotonic() >= echoes_until:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in numbers:
        signal.signal(number, end_unless_echo)
