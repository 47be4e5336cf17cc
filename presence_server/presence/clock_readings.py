"""Reads the wall clock beside one that nobody sets, and decides when the store gets a reading."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..storage.write_batch import ClockReading

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")
_AGAIN_MS = 5_000
_MOMENT_MS = 100
_TRIES = 5
_LEAST_JUMP_MS = 1_000
"""A wall clock that differs by less from the steady one was corrected, not set."""


def wall_clock_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def boot_clock_ms() -> int:
    """Milliseconds since the machine started, those in which it slept included."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)) // 1_000_000


def boot_id() -> str | None:
    """Name this boot of this machine; None if it has no name. A namespace may shift its clock."""
    try:
        namespace = _TIME_NAMESPACE.stat().st_ino if _TIME_NAMESPACE.exists() else 0
        return f"{_BOOT_ID.read_text().strip()}:{namespace}"
    except OSError:
        return None


class ClockReadings:
    """Reads both clocks.

    Args:
        wall_ms: the wall clock, in milliseconds since the epoch.
        boot_ms: a clock that nobody sets, in milliseconds.
        boot: names what that clock counts from; None if it cannot be told.
    """

    def __init__(
        self,
        wall_ms: Callable[[], int] = wall_clock_ms,
        boot_ms: Callable[[], int] = boot_clock_ms,
        boot: Callable[[], str | None] = boot_id,
    ) -> None:
        self._wall_ms = wall_ms
        self._boot_ms = boot_ms
        self._boot_id = boot()
        self._written: ClockReading | None = None

    def now(self) -> ClockReading:
        """Read both clocks at one moment: again if the process was stopped between the two."""
        for _ in range(_TRIES):
            before_ms, wall_ms, boot_ms = self._boot_ms(), self._wall_ms(), self._boot_ms()
            if boot_ms - before_ms <= _MOMENT_MS:
                break
        return ClockReading(wall_ms, self._boot_id, boot_ms)

    def due(self) -> ClockReading | None:
        """A reading that the store should get; None if it has one that is good enough.

        It gets one every few seconds, and at once when the wall clock was set.
        """
        now, last = self.now(), self._written
        if last is None or now.boot_ms - last.boot_ms >= _AGAIN_MS:
            return now
        drift_ms = (now.wall_ms - now.boot_ms) - (last.wall_ms - last.boot_ms)
        return now if abs(drift_ms) > _LEAST_JUMP_MS else None

    def written(self, reading: ClockReading) -> None:
        """Note that the store has a reading."""
        self._written = reading
