"""Whether the wall clock may decide that something is old."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ..protocol.model import PresenceRecord
from ..storage.store_clock import StoredClock
from ..storage.write_batch import ClockReading

_LARGEST_GAP_MS = 86_400_000
"""A server that was away for longer than this cannot tell it from a clock set forward."""
_SMALLEST_SHIFT_MS = 2_000
"""A difference of the clocks that is no larger changes nothing."""
_LARGEST_JUMP_MS = 3_600_000
_DISTRUST_S = 86_400.0


class ClockShift(Struct, frozen=True):
    """By how much the wall clock was set between the last write of the store and this start.

    Attributes:
        shift_ms: that much, negative if it was set back; 0 if it was not.
        before_ms: times before this one are by the old clock, in milliseconds since the epoch.
    """

    shift_ms: int = 0
    before_ms: int = 0

    @classmethod
    def of(cls, stored: StoredClock | None, newest_ms: int | None, now: ClockReading) -> ClockShift:
        """Compare the wall clock with the clocks in the store.

        Args:
            stored: the clocks at the last write; None if there was none.
            newest_ms: the newest time in the store; None if it is empty. It counts only if
                :func:`elapsed_since` is None.
            now: the clocks of this server.
        """
        elapsed_ms = elapsed_since(stored, now)
        if stored is not None and elapsed_ms is not None:
            shift_ms = now.wall_ms - stored.reading.wall_ms - elapsed_ms
            if abs(shift_ms) <= _SMALLEST_SHIFT_MS:
                return cls()
            return cls(shift_ms, now.wall_ms - (elapsed_ms if shift_ms > 0 else 0))
        # Another boot of a machine: only a gap of days shows that the clock may be wrong.
        if newest_ms is None or now.wall_ms - newest_ms <= _LARGEST_GAP_MS:
            return cls()
        return cls(now.wall_ms - newest_ms, newest_ms + 1)

    def correct(self, record: PresenceRecord, now_ms: int) -> PresenceRecord:
        """A row with its last sign of life by the wall clock of now, ``now_ms``.

        Otherwise a clock set forward would end every session. If a gap of days was an absence in
        truth, sessions stay as dropped ones until ``board.timeout_s``.
        """
        at_ms = self.correct_ms(record.last_heartbeat_at, now_ms)
        if at_ms == record.last_heartbeat_at:
            return record
        return replace(record, last_heartbeat_at=at_ms)

    def correct_ms(self, at_ms: int, now_ms: int) -> int:
        """The same for the last sign of life alone."""
        if not self.shift_ms or self.before_ms <= at_ms <= now_ms:
            return at_ms
        return at_ms + self.shift_ms


def elapsed_since(stored: StoredClock | None, now: ClockReading) -> int | None:
    """The time since the last write by a clock that nobody sets; None if there is none."""
    if stored is None:
        return None
    if stored.reading.boot_id is not None and stored.reading.boot_id == now.boot_id:
        return now.boot_ms - stored.reading.boot_ms
    return stored.since_ms


class ClockTrust:
    """Compares the wall clock with the newest time in the store, and then with a steady clock.

    A clock that was far ahead, or that jumps, is believed after it has run for a day: by then
    it was corrected, or it is right and the server had been away. Times are milliseconds since
    the epoch, those of the steady clock seconds.
    """

    def __init__(self) -> None:
        self._distrusted_until = -float("inf")
        self._ahead_ms: float | None = None
        """The wall clock less the steady clock, when both were last read."""

    def begin(self, newest_ms: int | None, now_ms: int, steady_s: float) -> bool:
        """Compare the clock with the newest time in the store, before anything is written.

        Args:
            newest_ms: the newest time in the store; ``now_ms`` if it is empty, and None if it
                cannot be read.
            now_ms: the wall clock.
            steady_s: the steady clock.

        Returns:
            Whether the wall clock is trusted.
        """
        self._ahead_ms = now_ms - steady_s * 1000
        if newest_ms is None or now_ms - newest_ms > _LARGEST_GAP_MS:
            self._distrusted_until = steady_s + _DISTRUST_S
        return steady_s >= self._distrusted_until

    def is_trusted(self, now_ms: int, steady_s: float) -> bool:
        """Whether the wall clock is trusted now; call it at least once an hour."""
        ahead_ms = now_ms - steady_s * 1000
        if self._ahead_ms is not None and ahead_ms - self._ahead_ms > _LARGEST_JUMP_MS:
            self._distrusted_until = steady_s + _DISTRUST_S
        self._ahead_ms = ahead_ms
        return steady_s >= self._distrusted_until
