"""The single file receives one signal twice; the server must count it once.

The launcher passes every signal on to its child. Ctrl-C reaches both, since a terminal
signals the whole process group, and so does systemd with ``KillMode=control-group``. For the
child the second copy is an echo, not the impatience of a person.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import trio

from .form import Form, running_form

ECHO_WINDOW_S = 1.0
"""A signal with the same number within this time of the first is taken for its echo. The
launcher sends it within milliseconds; the rest is for a machine that is very busy."""


async def without_echoes(signals: AsyncIterator[int]) -> AsyncIterator[int]:
    """The numbers of the signals, without the echoes if this process has a launcher.

    Args:
        signals: from ``trio.open_signal_receiver``.

    Yields:
        The number of each signal that is not an echo.
    """
    has_launcher = running_form() is Form.FILE
    counted_at: dict[int, float] = {}
    async for number in signals:
        now = trio.current_time()
        if has_launcher and now - counted_at.get(number, -ECHO_WINDOW_S) < ECHO_WINDOW_S:
            continue
        counted_at[number] = now
        yield number
