"""The newest values that a program has set, and when to send them; pure: time is an argument.

They go out in one message at a time, no faster than the server takes them, and are sent again
until the server has them: it drops what is too fast, and a connection that breaks loses what
was on its way.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import msgspec

from ..protocol.profile import PROFILE_FIELDS, ProfileChange
from .values import Fields

CONFIRM_AFTER_S = 1.0
"""An update is confirmed this long after the last one, when nothing changes any more."""
SILENT_DROPS_S = 1.5
"""The server reports that it drops messages at most once a second, and after that is silent."""

PROFILE = "profile"
"""The field that holds a :class:`.ProfileChange`; it goes out in a message of its own."""

Shows = Callable[[str, object], bool]
"""Whether the server shows this value of a field to everybody."""


class _Sent(msgspec.Struct, frozen=True):
    """A value that was sent and may not have arrived.

    Attributes:
        value: The value.
        number: The number of the message that carried it.
        doubtful: Whether the server may have dropped it without a word.
    """

    value: object
    number: int
    doubtful: bool


class Outgoing:
    """Keeps the newest value of each field until the server has it.

    Times are scheduling seconds.
    """

    def __init__(self) -> None:
        self._interval_s = 0.0
        self._next_at = -math.inf
        self._wanted: Fields = {}
        self._unsent: Fields = {}
        self._sent: dict[str, _Sent] = {}
        self._number = 0
        # For each heartbeat without an answer: the message that was sent last before it.
        self._asked: deque[int] = deque()
        self._confirm_at = math.inf
        self._doubtful_until = -math.inf

    @property
    def due_at(self) -> float:
        """When there is something to send or to ask; infinity if there is nothing."""
        return min(self._next_at if self._unsent else math.inf, self._confirm_at)

    def set(self, fields: Fields) -> None:
        """Take new values.

        Args:
            fields: Those of an update.
        """
        self._wanted |= fields
        self._unsent |= fields

    def set_profile(self, change: ProfileChange) -> None:
        """Take a change of the profile; the fields of an earlier change stay.

        Args:
            change: The fields that change.
        """
        before = self._wanted.get(PROFILE)
        if isinstance(before, ProfileChange):
            given = {n: v for n in PROFILE_FIELDS if (v := getattr(change, n)) is not msgspec.UNSET}
            change = msgspec.structs.replace(before, **given)
        self.set({PROFILE: change})

    def opened(self, updates_per_s: float, *, resumed: bool, shows: Shows) -> None:
        """Begin with a session that is on the board.

        Args:
            updates_per_s: The pace that the server asks for.
            resumed: Whether the server still knows what it was sent before.
            shows: Whether it shows a value.
        """
        self._interval_s = 1 / updates_per_s
        self._next_at = -math.inf
        if resumed:
            self._send_again(lambda field, sent: not shows(field, sent.value))
        else:
            self._unsent = dict(self._wanted)
        self._forget_sent()
        self._asked.clear()

    def take(self, now: float) -> Fields:
        """Take what is to be sent now, as one update.

        Args:
            now: The time.

        Returns:
            Its fields; none if it is too early, or if there is nothing to send.
        """
        if not self._unsent or now < self._next_at:
            return {}
        fields, self._unsent = self._unsent, {}
        self._number += 1
        doubtful = now < self._doubtful_until
        self._sent |= {
            field: _Sent(value, self._number, doubtful) for field, value in fields.items()
        }
        self._next_at = now + self._interval_s
        self._confirm_at = now + CONFIRM_AFTER_S
        return fields

    def must_ask(self, now: float, shows: Shows) -> bool:
        """Look which values have arrived, and whether only the server can tell.

        Args:
            now: The time.
            shows: Whether the server shows a value.

        Returns:
            Whether to send a heartbeat, whose answer tells.
        """
        if now < self._confirm_at:
            return False
        self._sent = {
            field: sent for field, sent in self._sent.items() if not shows(field, sent.value)
        }
        self._confirm_at = now + CONFIRM_AFTER_S if self._sent else math.inf
        # Another session of the user may have set another value since, or ours did not arrive.
        return bool(self._sent) and not self._asked

    def asked(self) -> None:
        """Note that a heartbeat is sent; the server answers it after all that went before."""
        self._asked.append(self._number)

    def answered(self) -> None:
        """Note that the oldest heartbeat was answered."""
        last = self._asked.popleft() if self._asked else 0
        self._send_again(lambda _, sent: sent.number <= last and sent.doubtful)
        self._sent = {field: sent for field, sent in self._sent.items() if sent.number > last}

    def limited(self, now: float, delay_s: float) -> None:
        """Note that the server drops what it is sent: wait, then send it again.

        Args:
            now: The time.
            delay_s: How long to wait.
        """
        self._doubtful_until = now + SILENT_DROPS_S
        self._next_at = max(self._next_at, now + delay_s)
        self._send_again(lambda _field, _sent: True)

    def refused(self) -> None:
        """Note that the server calls something bad that it was sent: do not send it again."""
        self._forget_sent()

    def profile_refused(self) -> None:
        """Note that the user may not change the profile: do not send it again."""
        for fields in (self._wanted, self._unsent, self._sent):
            fields.pop(PROFILE, None)

    def _forget_sent(self) -> None:
        self._sent.clear()
        self._confirm_at = math.inf

    def _send_again(self, is_lost: Callable[[str, _Sent], bool]) -> None:
        lost = {field: sent.value for field, sent in self._sent.items() if is_lost(field, sent)}
        self._sent = {field: sent for field, sent in self._sent.items() if field not in lost}
        self._unsent = lost | self._unsent
