"""Finds edits that divide a surrogate pair: a character of two units in JavaScript, as an emoji.

Yjs counts texts in units of UTF-16, and an edit may come between the two halves of such a
character. Yjs then puts U+FFFD in the place of each half. Yrs divides the text after the whole
character instead: what it encodes from then on has other clocks, and is of no use to clients.
"""

from __future__ import annotations

import re

from typing_extensions import override

from ..core.yjs.update import Walk
from ..core.yjs.varint import DamagedBytes, read_bytes, read_text, read_uint

_may_have_pairs = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}").search
_TEXT = 4
_KEY, _RIGHT, _LEFT = 0x20, 0x40, 0x80
_LAST_OF_ONE_UNIT = "\uffff"


class SurrogatePairs:
    """The surrogate pairs of one document.

    Attributes:
        are_divided: whether an edit has come between two halves.
    """

    def __init__(self) -> None:
        self.are_divided = False
        self._first_halves: dict[int, set[int]] = {}
        """By client: the clocks of the first halves."""

    def note(self, update: bytes) -> None:
        """Note an update that is merged into the document."""
        if self.are_divided or not (self._first_halves or _may_have_pairs(update)):
            return
        try:
            walk = _PairWalk(update)
        except DamagedBytes:
            return  # Yrs has taken it, so it has no form that the check knows.
        for client, clocks in walk.first_halves.items():
            self._first_halves.setdefault(client, set()).update(clocks)
        cuts = [*walk.cuts, *_cuts_by_deletions(update, walk.deletes_start)]
        halves = self._first_halves
        self.are_divided = any(clock in halves.get(client, ()) for client, clock in cuts)


class _PairWalk(Walk):
    """Notes surrogate pairs, and where items come between others.

    Attributes:
        first_halves: by client, the clocks of the first halves.
        cuts: clients and clocks after which there is a cut.
    """

    __slots__ = ("cuts", "first_halves")

    def __init__(self, data: bytes) -> None:
        self.first_halves: dict[int, list[int]] = {}
        self.cuts: list[tuple[int, int]] = []
        super().__init__(data)

    @override
    def _item(
        self, data: bytes, position: int, info: int, client: int, clock: int
    ) -> tuple[int, int]:
        found = super()._item(data, position, info, client, clock)
        if info & _LEFT:
            to_client, position = read_uint(data, position)
            to_clock, position = read_uint(data, position)
            self.cuts.append((to_client, to_clock))
        if info & _RIGHT:
            to_client, position = read_uint(data, position)
            to_clock, position = read_uint(data, position)
            self.cuts.append((to_client, to_clock - 1))
        if info & 0x1F == _TEXT:
            self._note_pairs(data, position, info, client, clock)
        return found

    def _note_pairs(self, data: bytes, position: int, info: int, client: int, clock: int) -> None:
        if not info & (_LEFT | _RIGHT):
            has_name, position = read_uint(data, position)
            if has_name:
                position = read_text(data, position)[1]
            else:
                position = read_uint(data, read_uint(data, position)[1])[1]
            if info & _KEY:
                position = read_text(data, position)[1]
        raw, _ = read_bytes(data, position)
        if _may_have_pairs(raw) is None:
            return
        for character in raw.decode():
            if character > _LAST_OF_ONE_UNIT:
                self.first_halves.setdefault(client, []).append(clock)
                clock += 1
            clock += 1


def _cuts_by_deletions(update: bytes, position: int) -> list[tuple[int, int]]:
    """The clients and clocks after which there is a cut, since a deleted range begins or ends."""
    cuts: list[tuple[int, int]] = []
    clients, position = read_uint(update, position)
    for _ in range(clients):
        client, position = read_uint(update, position)
        ranges, position = read_uint(update, position)
        for _ in range(ranges):
            clock, position = read_uint(update, position)
            length, position = read_uint(update, position)
            cuts += [(client, clock - 1), (client, clock + length - 1)]
    return cuts
