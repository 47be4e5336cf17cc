"""The deadlines of all connections: one heap and one task."""

from __future__ import annotations

import structlog
import trio

from ...core.timers import Timers
from ...rooms.batch import Batch
from ...stalls import StallWatch
from ...waiting import AlarmClock
from .ports import AlarmTarget, ConnectionAlarm

log = structlog.get_logger(__name__)

_ALARMS = tuple(ConnectionAlarm)
_SLICE_S = 0.002
"""After this time the other tasks get a turn: thousands of requests may be late at once."""


class Deadlines:
    """Rings each alarm when its time has come.

    Args:
        batch: opened around the alarms that ring together, so that rooms flush once.
        stalls: tells of moments in which nothing could be heard; alarms ring later by those.
    """

    def __init__(self, batch: Batch, stalls: StallWatch) -> None:
        self._batch = batch
        self._stalls = stalls
        stalls.listen(self._delay)
        # The heap holds numbers, not targets: a removed alarm stays in it for a while, and
        # would keep its target in memory as long.
        self._timers: Timers[tuple[int, ConnectionAlarm]] = Timers()
        self._targets: dict[int, AlarmTarget] = {}
        self._clock = AlarmClock()

    @property
    def alarms(self) -> int:
        """How many alarms are set."""
        return len(self._timers)

    def arm(self, target: AlarmTarget, alarm: ConnectionAlarm, at: float) -> None:
        """Ring no later than ``at``, in scheduling seconds; an earlier one stands."""
        number = id(target)
        self._targets[number] = target
        self._timers.arm((number, alarm), at)
        self._clock.bring_forward(at)

    def disarm(self, target: AlarmTarget) -> None:
        """Forget the target."""
        number = id(target)
        if self._targets.pop(number, None) is not None:
            for alarm in _ALARMS:
                self._timers.disarm((number, alarm))

    def _delay(self, seconds: float) -> None:
        self._timers.delay(seconds, without=_is_by_the_wall_clock)

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            self._clock.set(self._timers.next())
            await self._clock.wait()
            self._stalls.check()
            now = trio.current_time()
            with self._batch:
                while (due := self._timers.pop_due(now)) is not None:
                    number, alarm = due
                    _ring(self._targets[number], alarm, now)
                    if trio.current_time() - now > _SLICE_S:
                        break  # The rest is due already, and rings in the next turn.


def _is_by_the_wall_clock(key: tuple[int, ConnectionAlarm]) -> bool:
    """Whether an alarm rings at a time that somebody else has set, whatever is heard."""
    return key[1] is ConnectionAlarm.TOKEN


def _ring(target: AlarmTarget, alarm: ConnectionAlarm, now: float) -> None:
    try:
        target.on_alarm(alarm, now)
    except Exception as error:
        # Its deadlines are what bounds a connection, so it does not go on without.
        log.error("deadline handler failed", alarm=alarm.name)  # noqa: TRY400 - crash() shows it
        try:
            target.crash(error)
        except Exception:
            log.exception("deadline handler failed twice", alarm=alarm.name)
