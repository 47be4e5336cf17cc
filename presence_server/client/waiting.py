"""The doorbell and the alarm clock of :mod:`presence_server.waiting`, on Trio and on asyncio."""

from __future__ import annotations

import anyio
from typing_extensions import override

from .. import waiting


class Doorbell(waiting.Doorbell):
    """An event that can happen again, on either loop."""

    __slots__ = ()

    @override
    def _new_event(self) -> waiting.OneTimeEvent:
        return anyio.Event()


class AlarmClock(waiting.AlarmClock):
    """Sleeps until a deadline that may move, on either loop."""

    __slots__ = ()

    @override
    def _new_scope(self, deadline: float) -> waiting.SleepScope:
        return anyio.CancelScope(deadline=deadline)

    @override
    async def _sleep_forever(self) -> None:
        await anyio.sleep_forever()
