"""Whether the wall clock may decide that something is old."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ..protocol.model import PresenceRecord

_LARGEST_GAP_MS = 86_400_000
"""A server that was away for longer than this cannot tell it from a clock set forward."""
_LARGEST_JUMP_MS = 3_600_000
_DISTRUST_S = 86_400.0


class ClockGap(Struct, frozen=True):
    """How far the wall clock was ahead of the newest time in the store when the server started.

    Attributes:
        newest_ms: that time, in milliseconds since the epoch.
        gap_ms: 0 unless the clock may have been set forward.
    """

    newest_ms: int = 0
    gap_ms: int = 0

    @classmethod
    def of(cls, newest_ms: int | None, now_ms: int) -> ClockGap:
        """Compare the wall clock with the newest time in the store; None if it is empty."""
        if newest_ms is None or now_ms - newest_ms <= _LARGEST_GAP_MS:
            return cls()
        return cls(newest_ms, now_ms - newest_ms)

    def close(self, record: PresenceRecord) -> PresenceRecord:
        """A row as if the server had started right after the newest time in the store.

        Otherwise a clock set forward would end every session. If the server was away in truth,
        sessions stay as dropped ones until ``board.timeout_s``. Rows written since are left.
        """
        if not self.gap_ms or record.last_heartbeat_at > self.newest_ms:
            return record
        return replace(record, last_heartbeat_at=record.last_heartbeat_at + self.gap_ms)


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
