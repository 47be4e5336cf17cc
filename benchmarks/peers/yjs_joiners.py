"""Work 13: many clients ask for a large document at the same moment."""

from __future__ import annotations

import time
from functools import cache

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.fleet import Fleet, places
from benchmarks.peers.process import Shares, Watch
from benchmarks.peers.yjs_dialect import MARKER, YjsDialect
from presence_server.core.yjs import wire
from presence_server.core.yjs.parts import split
from tests.core.yjs.updates import text, update

JOINERS = 100
AUTHORS = 50
INSERTIONS = 1000
"""By each author. Each is a struct of its own, since the authors take turns at one place."""
_TEXT = MARKER.decode() + " lorem ipsum dol"
_FIRST_CLIENT = 4_000_000_000
_TIMEOUT_S = 60.0


class Joined(Struct, frozen=True):
    """Everybody has got the document.

    Attributes:
        seconds: from the first question to the last byte of the last client.
        cpu_s: the server's CPU for it, its helper's included.
        megabytes: the length of the document.
    """

    seconds: float
    cpu_s: float
    megabytes: float
    shares: Shares


@cache
def document() -> bytes:
    """A document of 1.5 MB of which every struct holds the marker once."""
    structs: list[list[bytes]] = [[] for _ in range(AUTHORS)]
    previous: dict[str, object] = {"parent": "t"}
    for turn in range(INSERTIONS):
        for number in range(AUTHORS):
            structs[number].append(text(_TEXT, **previous))
            previous = {"left": (_FIRST_CLIENT + number, (turn + 1) * len(_TEXT) - 1)}
    return update(*((_FIRST_CLIENT + n, 0, found) for n, found in enumerate(structs)))


def measure(target: Target) -> Joined:
    """Give the server a document, connect everybody, and have them ask for it.

    Args:
        target: the server.

    Raises:
        TimeoutError: not everybody has got it within a minute.
    """
    dialect, wanted = target.dialect, AUTHORS * INSERTIONS
    assert isinstance(dialect, YjsDialect)
    with target.running(board__capacity=JOINERS + 1) as subject:
        author = Fleet(subject, dialect)
        fleet = Fleet(subject, dialect, is_silent=True)
        try:
            (owner,) = author.join([(0, "u9999")])
            owner.sock.setblocking(True)
            for part in split(document()):
                owner.sock.sendall(dialect.message(wire.change(part)))
            owner.sock.setblocking(False)
            _read_all(author, wanted)  # Its own change comes back to it.
            fleet.join(places(1, JOINERS))
            time.sleep(2)  # What the author changed is stored.
            watch = Watch(subject)
            found = _ask(fleet, dialect.hello(), wanted)
            shares = watch.shares()
            return Joined(found, shares.server_cpu * shares.seconds, len(document()) / 1e6, shares)
        finally:
            author.close()
            fleet.close()


def _ask(fleet: Fleet, question: bytes, wanted: int) -> float:
    """Returns the seconds until everybody has got all that is wanted."""
    began = time.perf_counter()
    for member in fleet.members:
        member.sock.send(question)
    _read_all(fleet, wanted)
    return time.perf_counter() - began


def _read_all(fleet: Fleet, wanted: int) -> None:
    """Read until everybody has got all that is wanted."""
    lacking = {member.fd: wanted for member in fleet.members}
    give_up_at = time.perf_counter() + _TIMEOUT_S

    def on_data(fd: int, data: bytes) -> None:
        if fd in lacking:
            lacking[fd] -= fleet.count(fd, data)
            if lacking[fd] <= 0:
                del lacking[fd]

    while lacking:
        fleet.poll(1.0, on_data)
        if time.perf_counter() > give_up_at:
            raise TimeoutError(f"{len(lacking)} did not get the document within {_TIMEOUT_S:g} s")
