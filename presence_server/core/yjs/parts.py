"""Cuts a large update into updates that each follow on the ones before.

A client's message arrives when its last byte has: the library of a client gives up on a message
that takes longer than 30 seconds, and begins again. So a large document is sent in parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .update import EMPTY_UPDATE, StructSpan, Walk
from .varint import read_uint, write_uint

PART_BYTES = 256 * 1024
"""The size of a part in bytes, unless one struct alone is larger."""

_HEAD_BYTES = 24
"""The most that the head of a client's structs or ranges takes."""


def split(update: bytes, max_bytes: int = PART_BYTES) -> tuple[bytes, ...]:
    """Cut an update at the boundaries of its structs.

    Args:
        update: an update that passes the check.
        max_bytes: the size that a part should not exceed.

    Returns:
        Updates to be merged in this order, each of which follows on those before it, if the
        whole follows on the document. What is deleted comes last.

    Raises:
        DamagedBytes: the update is not valid.
    """
    if len(update) <= max_bytes:
        return (update,)
    walk = Walk(update, is_detailed=True)
    parts = _Parts(update, max_bytes)
    for span in _in_order(walk):
        parts.add(span)
    parts.end_part()
    return (*parts.done, *_split_deletions(update[walk.deletes_start :], max_bytes))


def write_structs(update: bytes, spans: Mapping[int, Sequence[StructSpan]]) -> bytes:
    """Write the structs of an update, without what it deletes.

    Args:
        update: where they are taken from.
        spans: by client, the structs to take: at least one, without a hole between them.
    """
    out = [write_uint(len(spans))]
    # Yjs writes clients with larger ids first, and merges such updates faster.
    for client, run in sorted(spans.items(), reverse=True):
        out += [write_uint(len(run)), write_uint(client), write_uint(run[0].clock)]
        out += [update[span.start : span.end] for span in run]
    return b"".join(out)


class _Parts:
    """Collects structs into parts.

    Args:
        update: the whole update.
        max_bytes: the size that a part should not exceed.
    """

    def __init__(self, update: bytes, max_bytes: int) -> None:
        self._update = update
        self._max_bytes = max_bytes
        self._spans: dict[int, list[StructSpan]] = {}
        self._size = 0
        self.done: list[bytes] = []

    def add(self, span: StructSpan) -> None:
        size = span.end - span.start
        if span.client not in self._spans:
            size += _HEAD_BYTES
        if self._size and self._size + size > self._max_bytes:
            self.end_part()
        self._spans.setdefault(span.client, []).append(span)
        self._size += size

    def end_part(self) -> None:
        if not self._spans:
            return
        self.done.append(write_structs(self._update, self._spans) + b"\x00")
        self._spans = {}
        self._size = 0


def _in_order(walk: Walk) -> list[StructSpan]:
    """Put the structs in an order in which each comes after those that it refers to."""
    assert walk.spans is not None
    of_client: dict[int, list[StructSpan]] = {}
    for span in reversed(walk.spans):
        of_client.setdefault(span.client, []).append(span)
    reached = {client: first for client, (first, _) in walk.adds.items()}
    links: dict[int, list[tuple[int, int, int]]] = {}
    for client, clock, to_client, to_clock in reversed(walk.foreign):
        first, after = walk.adds.get(to_client, (0, 0))
        if first <= to_clock < after:
            links.setdefault(client, []).append((clock, to_client, to_clock))
    ordered: list[StructSpan] = []
    for goal in walk.adds.items():
        # Clients that must be read first, each with the clock that it must reach.
        wanted = [(goal[0], goal[1][1])]
        while wanted:
            client, until = wanted[-1]
            waiting, spans = links.get(client, []), of_client[client]
            if reached[client] >= until:
                wanted.pop()
                continue
            span = spans[-1]
            while waiting and waiting[-1][0] == span.clock:
                _, to_client, to_clock = waiting[-1]
                if reached[to_client] <= to_clock:
                    wanted.append((to_client, to_clock + 1))
                    break
                waiting.pop()
            else:
                spans.pop()
                ordered.append(span)
                reached[client] = span.clock + span.length
    return ordered


def _split_deletions(deletions: bytes, max_bytes: int) -> list[bytes]:
    """Make updates that only delete; at least one."""
    if len(deletions) <= max_bytes:
        return [b"\x00" + deletions]
    clients, position = read_uint(deletions, 0)
    parts: list[bytes] = []
    room = max(1, max_bytes - _HEAD_BYTES)
    for _ in range(clients):
        client, position = read_uint(deletions, position)
        count, position = read_uint(deletions, position)
        while count:
            start, taken = position, 0
            while count and position - start < room:
                _, position = read_uint(deletions, position)
                _, position = read_uint(deletions, position)
                taken, count = taken + 1, count - 1
            head = b"\x00\x01" + write_uint(client) + write_uint(taken)
            parts.append(head + deletions[start:position])
    return parts or [EMPTY_UPDATE]
