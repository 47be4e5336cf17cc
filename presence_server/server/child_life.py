"""The life of a child inside its own process: its log, its event loop, its orders, its end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio

from ..log_stream import LogStream, log_uncaught_exceptions
from ..logs import configure_logging
from ..protocol.errors import PresenceError
from ..settings import Settings, SettingsError
from .control import Channel, Failed, Order
from .lifetimes import one_error
from .process import GC_THRESHOLDS, SWITCH_INTERVAL_S

CONFIG_IS_WRONG = 2
MAY_PASS = 75
LAST_LINES_S = 0.5
"""Seconds to wait for the last lines of the log."""

LIFE_SIGNS = 5
"""Signs of life in ``server.stall_timeout_s``."""
_MOST_LIFE_SIGN_S = 1.0


def run_child(
    settings: Settings, name: str, channel: Channel, work: Callable[[], Awaitable[None]]
) -> int:
    """Run a child's work under Trio.

    Args:
        settings: all of them.
        name: of the process, in each line of the log.
        channel: to the supervisor.
        work: the work.

    Returns:
        The exit code: 0, or as the command line's for an error that the channel reports.
    """
    stream = LogStream.of_stderr()
    configure_logging(settings.logging.level, settings.logging.format, stream)
    log_uncaught_exceptions()
    structlog.contextvars.bind_contextvars(process=name)
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        trio.run(partial(_in_order, work))
    except PresenceError as error:
        problems = error.problems if isinstance(error, SettingsError) else [str(error)]
        channel.report(Failed(tuple(problems), error.may_pass))
        return MAY_PASS if error.may_pass else CONFIG_IS_WRONG
    finally:
        stream.finish(LAST_LINES_S)
    return 0


async def _in_order(work: Callable[[], Awaitable[None]]) -> None:
    with one_error():
        await work()


async def under_orders(
    settings: Settings,
    channel: Channel,
    on_order: Callable[[Order], None],
    work: Callable[[], Awaitable[None]],
) -> None:
    """Do a child's work, show life meanwhile, and end when the supervisor is dead.

    Args:
        settings: all of them.
        channel: to the supervisor.
        on_order: gets the orders; ``END`` also cancels the work.
        work: the work.
    """
    interval_s = min(settings.server.stall_timeout_s / LIFE_SIGNS, _MOST_LIFE_SIGN_S)
    async with trio.open_nursery() as nursery:

        async def obey() -> None:
            await channel.obey(hear)
            nursery.cancel_scope.cancel()

        def hear(order: Order) -> None:
            on_order(order)
            if order is Order.END:
                nursery.cancel_scope.cancel()

        nursery.start_soon(channel.show_life, interval_s)
        nursery.start_soon(obey)
        await work()
        nursery.cancel_scope.cancel()
