"""Commands that end at SIGINT or SIGTERM: in order, without a traceback, with the usual status."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import trio

from ..frozen import end_at_next_signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_signal(work: Callable[[], Awaitable[None]]) -> int:
    """Run a command's work until it is done or a signal comes.

    The first signal cancels the work, whose cleanup may still take its time: clients leave
    their boards. The second one ends the process at once.

    Args:
        work: The work; it is run under Trio.

    Returns:
        The exit code: 0 if the work was done, or 128 and the number of the signal.
    """
    return trio.run(_until_signal, work)


async def _until_signal(work: Callable[[], Awaitable[None]]) -> int:
    status = 0
    failure: Exception | None = None
    # Signals are caught before the work begins, and until its cleanup is over.
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:

            async def wait_for_signal() -> None:
                nonlocal status
                status = 128 + await anext(signals)
                end_at_next_signal(*_SIGNALS)
                nursery.cancel_scope.cancel()

            nursery.start_soon(wait_for_signal)
            try:
                await work()
            except Exception as error:
                # Raised outside the nursery: Trio would put it into an exception group.
                failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return status
