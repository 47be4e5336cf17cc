"""Calls through the bridge that end in time: with a result, or with an error of their kind."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar, TypeVarTuple

import trio

from ..protocol.errors import PresenceError
from .bridge import BridgeRestarted, Caller

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TRIES = 2
"""A call is repeated once: the first try may have met the end of the asyncio loop."""


class BoundedCalls:
    """Calls with a deadline, repeated when the asyncio loop restarts under them.

    Only calls that may be repeated go through here: the first try may have done its work.

    Args:
        bridge: runs the calls.
        failure: the error raised when a call does not end; made from one line of text.
        late: that line, for a call whose deadline has passed.
    """

    def __init__(self, bridge: Caller, failure: Callable[[str], PresenceError], late: str) -> None:
        self._bridge = bridge
        self._failure = failure
        self._late = late

    async def call(
        self,
        deadline_s: float,
        function: Callable[[*Ts], Coroutine[object, object, T]],
        *args: *Ts,
        tries: int = TRIES,
    ) -> T:
        """Return what ``function(*args)`` returns, and raise what it raises.

        Args:
            deadline_s: for all tries together, in seconds.
            function: an asyncio coroutine function.
            args: its arguments.
            tries: how often it is called while the loop restarts under it.

        Raises:
            PresenceError: made by ``failure``: the deadline has passed, or the loop restarted
                under every try.
        """
        try:
            with trio.fail_after(deadline_s):
                for _ in range(tries - 1):
                    try:
                        return await self._bridge.call(function, *args)
                    except BridgeRestarted:
                        continue
                return await self._bridge.call(function, *args)
        except BridgeRestarted as error:
            raise self._failure(str(error)) from error
        except trio.TooSlowError:
            raise self._failure(self._late) from None
