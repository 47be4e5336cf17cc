"""The part of an update that follows on a document: all of it that does not wait for anything.

A client of Yjs that holds changes whose predecessors it does not have sends them in a sync step 2
too, with holes. They wait in the client; nothing may wait in the server or reach other clients.
But what the client has made itself, and all that it shows, follows on the document.
"""

from __future__ import annotations

from msgspec import Struct

from .parts import write_structs
from .update import StructSpan, Walk
from .varint import read_uint, write_uint
from .vector import StateVector


class Following(Struct, frozen=True):
    """The part of an update that follows on a document.

    Attributes:
        update: it has no holes, and needs nothing that the document and it do not have.
        is_whole: whether nothing was left out that the document does not have.
    """

    update: bytes
    is_whole: bool


def what_follows(update: bytes, vector: StateVector) -> Following:
    """Take the part of an update that follows on a document.

    Args:
        update: an update that passes the check; it may have holes.
        vector: how far the document has come.

    Raises:
        DamagedBytes: the update is not valid.
    """
    walk = Walk(update, is_detailed=True, may_have_holes=True)
    assert walk.spans is not None
    runs, is_whole = _runs(walk.spans, vector)
    reached = _reached(walk, runs, vector)
    taken: dict[int, list[StructSpan]] = {}
    for client, run in runs.items():
        spans = [span for span in run if span.clock + span.length <= reached[client]]
        is_whole = is_whole and len(spans) == len(run)
        if spans:
            taken[client] = spans
    deletions, has_all = _deletions(update, walk.deletes_start, reached, vector)
    return Following(write_structs(update, taken) + deletions, is_whole and has_all)


def _runs(spans: list[StructSpan], vector: StateVector) -> tuple[dict[int, list[StructSpan]], bool]:
    """By client, the structs that the document does not have, up to the first hole.

    Returns:
        The structs, and whether none comes after a hole.
    """
    runs: dict[int, list[StructSpan]] = {}
    ends: dict[int, int] = {}
    is_whole = True
    for span in spans:
        client, after = span.client, span.clock + span.length
        end = ends.get(client)
        if end is None:
            end = vector.clocks.get(client, 0)
        if after <= end:
            continue
        if span.clock > end:
            is_whole = False
            continue
        runs.setdefault(client, []).append(span)
        ends[client] = after
    return runs, is_whole


def _reached(walk: Walk, runs: dict[int, list[StructSpan]], vector: StateVector) -> dict[int, int]:
    """By client of a run, the clock up to which its structs need nothing that is left out."""
    reached = {client: run[-1].clock + run[-1].length for client, run in runs.items()}
    # By client: the structs of others that refer to it; the last clock comes last.
    referring: dict[int, list[tuple[int, int, int]]] = {}
    for client, clock, to_client, to_clock in walk.foreign:
        if client in reached:
            referring.setdefault(to_client, []).append((to_clock, client, clock))
    for links in referring.values():
        links.sort()
    lowered = list(referring)
    while lowered:
        to_client = lowered.pop()
        links = referring.get(to_client, [])
        end = max(reached.get(to_client, 0), vector.clocks.get(to_client, 0))
        while links and links[-1][0] >= end:
            _, client, clock = links.pop()
            if clock < reached[client]:
                reached[client] = clock
                lowered.append(client)
    return reached


def _deletions(
    update: bytes, position: int, reached: dict[int, int], vector: StateVector
) -> tuple[bytes, bool]:
    """Write what an update deletes of that which the document has then.

    Returns:
        The ranges, and whether nothing was left out.
    """
    clients, position = read_uint(update, position)
    taken: dict[int, list[bytes]] = {}
    is_whole = True
    for _ in range(clients):
        client, position = read_uint(update, position)
        ranges, position = read_uint(update, position)
        end = max(reached.get(client, 0), vector.clocks.get(client, 0))
        for _ in range(ranges):
            clock, position = read_uint(update, position)
            length, position = read_uint(update, position)
            is_whole = is_whole and clock + length <= end
            length = min(length, end - clock)
            if length > 0:
                taken.setdefault(client, []).append(write_uint(clock) + write_uint(length))
    out = [write_uint(len(taken))]
    for client, written in taken.items():
        out += [write_uint(client), write_uint(len(written)), *written]
    return b"".join(out), is_whole
