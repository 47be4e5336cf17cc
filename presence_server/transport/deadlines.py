"""All the connections' deadlines: one heap, one task."""

from __future__ import annotations

import structlog
import trio

from ..core.timers import Timers
from ..rooms.batch import Batch
from .ports import Alarm, Rings

log = structlog.get_logger(__name__)


class Deadlines:
    """Rings connections when their time has come.

    Args:
        batch: opened around what rings together, so that rooms flush once.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._timers: Timers[tuple[Rings, Alarm]] = Timers()
        self._scope: trio.CancelScope | None = None

    def arm(self, target: Rings, alarm: Alarm, at: float) -> None:
        """Ring no later than ``at``, in scheduling seconds; an earlier one stands."""
        self._timers.arm((target, alarm), at)
        if self._scope is not None and at < self._scope.deadline:
            self._scope.deadline = at

    def disarm(self, target: Rings) -> None:
        """Forget the target."""
        for alarm in Alarm:
            self._timers.disarm((target, alarm))

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            with trio.CancelScope(deadline=self._timers.next()) as self._scope:
                await trio.sleep_forever()
            now = trio.current_time()
            with self._batch.open():
                while (due := self._timers.pop_due(now)) is not None:
                    target, alarm = due
                    try:
                        target.on_alarm(alarm, now)
                    except Exception:
                        log.exception("deadline handler failed", alarm=alarm.name)
