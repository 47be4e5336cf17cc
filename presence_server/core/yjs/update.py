"""The check of an update of a Yjs document (format V1), and what follows from it.

An update that passes can be relayed: Yjs and Yrs accept it without an error, and each number in
it is one that both read alike. One bounded walk decides it; nothing is decoded that need not be::

    clients  { structs  client  clock  struct* }*
    clients  { ranges   client  { clock  length }* }*          what is deleted

    struct:  0 length                                           garbage that was collected
             info [left id] [right id] [parent [key]] content   an item
"""

from __future__ import annotations

import heapq

from msgspec import Struct

from . import content
from .typing_updates import read_typed
from .varint import DamagedBytes, read_text, read_uint

MAX_CLOCK = 2**31 - 1
"""The largest clock."""
EMPTY_UPDATE = b"\x00\x00"
"""An update that changes nothing."""

_GARBAGE, _SKIP = 0, 10
_KEY, _RIGHT, _LEFT = 0x20, 0x40, 0x80
_NOTHING = 0, 0
_READERS = content.READERS
_CONTENTS = len(_READERS)


class Shape(Struct, frozen=True):
    """The clocks that an update adds, needs and deletes.

    Attributes:
        adds: for each client whose structs it has: the client, the first clock, and the clock
            after the last one.
        needs: for each client that it refers to, the clock that the document must have reached.
            References to what the update itself adds are left out.
        deletes: for each client of whom it deletes something, the clock after the last of that.
        is_odd: whether it must be merged before it is relayed, since it has an empty item or an
            empty range, is the first in a shared type that another item holds, or refers from
            one client of its own to another.
        has_holes: whether clocks of a client are left out between others. ``adds`` tells of them
            as if they were there.
    """

    adds: tuple[tuple[int, int, int], ...]
    needs: dict[int, int]
    deletes: dict[int, int]
    is_odd: bool
    has_holes: bool = False


class StructSpan(Struct, frozen=True, gc=False):
    """One struct of an update: whose it is, and where its bytes are.

    Attributes:
        client: whose clock it counts on.
        clock: its first clock.
        length: how many clocks it takes.
        start: where its bytes begin.
        end: where its bytes end.
    """

    client: int
    clock: int
    length: int
    start: int
    end: int


class Walk:
    """One walk over an update. Its attributes are complete once the walk is over.

    Args:
        data: the update.
        is_detailed: whether to note each struct in ``spans``.
        may_have_holes: whether clocks of a client may be left out between others.

    Attributes:
        adds: as in :class:`Shape`.
        foreign: references from one client to another: the client, its clock, the client that
            it refers to, and the clock of that which it refers to.
        spans: each struct, if the walk is detailed.
        deletes: as in :class:`Shape`.
        deletes_start: where the deleted ranges begin.
        has_holes: as in :class:`Shape`.
        is_odd: whether an item or a range is empty, or an item has an item as its parent.

    Raises:
        DamagedBytes: the update is not valid.
    """

    __slots__ = (
        "_may_have_holes",
        "adds",
        "deletes",
        "deletes_start",
        "foreign",
        "has_holes",
        "is_odd",
        "spans",
    )

    def __init__(
        self, data: bytes, *, is_detailed: bool = False, may_have_holes: bool = False
    ) -> None:
        self._may_have_holes = may_have_holes
        self.adds: dict[int, tuple[int, int]] = {}
        self.foreign: list[tuple[int, int, int, int]] = []
        self.spans: list[StructSpan] | None = [] if is_detailed else None
        self.deletes: dict[int, int] = {}
        self.deletes_start = 0
        self.is_odd = self.has_holes = False
        try:
            position = self.deletes_start = self._structs(data)
            position = self._deletions(data, position)
        except IndexError:
            raise DamagedBytes("the update ends too early") from None
        if position != len(data):
            raise DamagedBytes("bytes follow the update")

    def _structs(self, data: bytes) -> int:
        clients, position = read_uint(data, 0)
        if clients > len(data):
            raise DamagedBytes("a count is larger than what is left")
        for _ in range(clients):
            structs, position = read_uint(data, position)
            client, position = read_uint(data, position)
            first, position = read_uint(data, position)
            if not 0 < structs <= len(data) - position:
                raise DamagedBytes("a count is zero, or larger than what is left")
            if client in self.adds:
                raise DamagedBytes("a client comes twice")
            clock = first
            for _ in range(structs):
                start = position
                info = data[position]
                if info == _GARBAGE:
                    length, position = read_uint(data, position + 1)
                    if not length:
                        raise DamagedBytes("garbage of no length")
                elif info == _SKIP and self._may_have_holes:
                    length, position = read_uint(data, position + 1)
                    if not length:
                        raise DamagedBytes("a hole of no length")
                    self.has_holes = True
                    clock += length
                    continue
                else:
                    length, position = self._item(data, position + 1, info, client, clock)
                if self.spans is not None:
                    self.spans.append(StructSpan(client, clock, length, start, position))
                clock += length
            if clock > MAX_CLOCK:
                raise DamagedBytes("a clock has more than 31 bits")
            self.adds[client] = first, clock
        return position

    def _item(
        self, data: bytes, position: int, info: int, client: int, clock: int
    ) -> tuple[int, int]:
        kind = info & 0x1F
        reader = _READERS[kind] if kind < _CONTENTS else None
        if reader is None:
            raise DamagedBytes("a hole" if info == _SKIP else "content of an unknown kind")
        if info & (_LEFT | _RIGHT):
            if info & _LEFT:
                position = self._reference(data, position, client, clock)
            if info & _RIGHT:
                position = self._reference(data, position, client, clock)
        else:
            has_name, position = read_uint(data, position)
            if has_name == 1:
                _, position = read_text(data, position)
            elif has_name:
                raise DamagedBytes("a parent of an unknown kind")
            else:
                position = self._reference(data, position, client, clock)
                self.is_odd = True  # Whether that is a shared type is known to Yrs only.
            if info & _KEY:
                _, position = read_text(data, position)
        length, position = reader(data, position)
        if not length:
            self.is_odd = True
        return length, position

    def _reference(self, data: bytes, position: int, client: int, clock: int) -> int:
        to_client, position = read_uint(data, position)
        to_clock, position = read_uint(data, position)
        if to_client == client:
            if to_clock >= clock:
                raise DamagedBytes("a struct refers to itself or to a later one")
        elif to_clock >= MAX_CLOCK:
            raise DamagedBytes("a clock has more than 31 bits")
        else:
            self.foreign.append((client, clock, to_client, to_clock))
        return position

    def _deletions(self, data: bytes, position: int) -> int:
        clients, position = read_uint(data, position)
        if clients > len(data) - position:
            raise DamagedBytes("a count is larger than what is left")
        for _ in range(clients):
            client, position = read_uint(data, position)
            ranges, position = read_uint(data, position)
            if ranges > len(data) - position:
                raise DamagedBytes("a count is larger than what is left")
            last = self.deletes.get(client, 0)
            for _ in range(ranges):
                clock, position = read_uint(data, position)
                length, position = read_uint(data, position)
                if clock + length > MAX_CLOCK:
                    raise DamagedBytes("a clock has more than 31 bits")
                if not length:
                    self.is_odd = True
                last = max(last, clock + length)
            self.deletes[client] = last
        return position


def check(data: bytes, *, may_have_holes: bool = False) -> Shape:
    """Check an update.

    Args:
        data: the update.
        may_have_holes: whether clocks of a client may be left out between others, as Yjs does
            in a sync step 2 if it holds changes that follow on what it does not have. Such an
            update is never relayed or merged as it is: see :mod:`.following`.

    Returns:
        What it is made of.

    Raises:
        DamagedBytes: it is not valid. The text says why.
    """
    typed = read_typed(data)
    if typed is not None:
        client, first, after, needs = typed
        if after <= MAX_CLOCK and max(needs.values(), default=0) <= MAX_CLOCK:
            return Shape(((client, first, after),), needs, {}, is_odd=False)
    walk = Walk(data, may_have_holes=may_have_holes)
    adds, is_odd = walk.adds, walk.is_odd
    needs = {}
    links = []
    for link in walk.foreign:
        _, _, to_client, to_clock = link
        first, after = adds.get(to_client, _NOTHING)
        if first <= to_clock < after:
            links.append(link)
        elif to_clock >= needs.get(to_client, 0):
            needs[to_client] = to_clock + 1
    if links:
        is_odd = True
        _check_order(adds, links)
    return Shape(
        tuple([(client, first, after) for client, (first, after) in adds.items()]),
        needs,
        walk.deletes,
        is_odd,
        walk.has_holes,
    )


def _check_order(adds: dict[int, tuple[int, int]], links: list[tuple[int, int, int, int]]) -> None:
    """Check that the structs have an order in which each comes after those that it refers to.

    Raises:
        DamagedBytes: they have none, since structs of several clients wait for each other.
    """
    waiting: dict[int, list[tuple[int, int, int, int]]] = {}
    for link in reversed(links):
        waiting.setdefault(link[0], []).append(link)
    # The clock up to which the structs of each client can be put in order.
    reached = {
        client: first if client in waiting else after for client, (first, after) in adds.items()
    }
    # By client: who waits until its structs have reached a clock; the lowest clock comes first.
    blocked: dict[int, list[tuple[int, int]]] = {}
    ready = list(waiting)
    while ready:
        client = ready.pop()
        mine = waiting[client]
        while mine:
            _, clock, to_client, to_clock = mine[-1]
            reached[client] = clock
            if to_clock >= reached[to_client]:
                heapq.heappush(blocked.setdefault(to_client, []), (to_clock, client))
                break
            mine.pop()
        else:
            reached[client] = adds[client][1]
        heap = blocked.get(client, [])
        while heap and heap[0][0] < reached[client]:
            ready.append(heapq.heappop(heap)[1])
    if any(waiting.values()):
        raise DamagedBytes("structs wait for each other")
