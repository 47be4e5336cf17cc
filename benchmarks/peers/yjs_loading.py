"""Work 15: full boards on which some people move, while another board loads a large document.

Run as a module with a host and a port, it opens that board again and again.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from itertools import count

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.cursors import USERS, WARM_UP_S, MovingBoards
from benchmarks.peers.fleet import Fleet, places
from benchmarks.peers.latencies import p99_ms
from benchmarks.peers.process import ROOT, Shares, Watch
from benchmarks.peers.yjs_dialect import MARKER, YjsDialect, client_of
from benchmarks.rawclient import split_frames, upgrade_request
from presence_server.core.yjs import wire
from tests.core.yjs.updates import text, update

BOARDS = 20
MOVERS = USERS // 10
"""People of each board who move, as in a usual meeting; a hundred are more than a core carries."""
MEGABYTES = 10
_BOARD = "large"
_AUTHORS = 50
"""They take turns: Yrs joins what one author inserts in a row into one string, ever more slowly."""
_PART = 4000
"""Characters of one insertion: as somebody has who pastes a lot."""
_NORMAL_CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
_DIALECT = YjsDialect()


class Beside(Struct, frozen=True):
    """Latencies of moves, in milliseconds: rounds without the document and rounds with it."""

    without_ms: list[float]
    with_ms: list[float]
    loads: int
    shares: Shares

    @property
    def ratio(self) -> float:
        """p99 with it by p99 without it, the median of the rounds of each."""
        return statistics.median(self.with_ms) / statistics.median(self.without_ms)


def measure(target: Target, seconds: float, rounds: int, boards: int = BOARDS) -> Beside:
    """Some people move, in turn alone and beside the other board.

    Args:
        target: this server.
        seconds: of each round.
        rounds: of each kind.
        boards: full boards.
    """
    with target.running() as subject:
        _write(subject.host, subject.port)
        fleet = Fleet(subject, target.dialect)
        try:
            fleet.join(places(boards, USERS))
            run = MovingBoards(fleet, boards, MOVERS)
            run.drive(WARM_UP_S)
            found: dict[bool, list[float]] = {False: [], True: []}
            watch, loads = Watch(subject), 0
            for number in range(2 * rounds):
                is_beside = bool(number % 2)
                child = _loader(subject.host, subject.port) if is_beside else None
                run.drive(WARM_UP_S)
                run.latencies.clear()
                run.drive(seconds)
                if child is not None:
                    loads += _end(child)
                found[is_beside].append(p99_ms(run.latencies))
            return Beside(found[False], found[True], loads, watch.shares())
        finally:
            fleet.close()


def _loader(host: str, port: int) -> subprocess.Popen[str]:
    """Start a loader; returns once it has loaded the document for the first time."""
    words = [sys.executable, "-m", "benchmarks.peers.yjs_loading", host, str(port)]
    child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    if not child.stdout.readline():
        raise RuntimeError("the large document cannot be loaded")
    return child


def _end(child: subprocess.Popen[str]) -> int:
    """End a loader; how often it has loaded the document."""
    child.terminate()
    said, _ = child.communicate()
    return said.count("\n")


class _Editor:
    """A client of the large board."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=60)
        path = _DIALECT.path(_BOARD, "u0001")
        self._socket.sendall(upgrade_request(path, f"{host}:{port}"))
        self._buffer = bytearray()
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        if not self._buffer.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"refused: {self._buffer.decode()}")
        del self._buffer[: self._buffer.index(b"\r\n\r\n") + 4]
        self._socket.sendall(_DIALECT.hello())

    def send(self, message: bytes) -> None:
        """Send one message of y-protocols."""
        self._socket.sendall(_DIALECT.message(message))

    def until_answered(self) -> int:
        """Read up to the sync step 2; the bytes of the document."""
        return self._until(1)

    def until_relayed(self) -> None:
        """Read up to the next change."""
        self._until(2)

    def _until(self, kind: int) -> int:
        """Read up to a message of a kind of sync; the bytes of all that brought changes."""
        size = 0
        while True:
            for opcode, data in split_frames(self._buffer):
                if opcode == 8:
                    raise ConnectionError(f"closed with {int.from_bytes(data[:2])}: {data[2:]!r}")
                if opcode != 2 or data[0] != 0 or data[1] == 0:
                    continue
                size += len(data)
                if data[1] == kind:
                    return size
            self._read()

    def leave(self) -> None:
        """Close, and wait until the server has closed."""
        self._socket.sendall(_NORMAL_CLOSE)
        while self._socket.recv(65_536):
            pass
        self._socket.close()

    def _read(self) -> None:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data


def _write(host: str, port: int) -> None:
    """Make the large document, and have it stored."""
    editor = _Editor(host, port)
    editor.until_answered()
    authors = [client_of(f"u{number:04d}") for number in range(1, _AUTHORS + 1)]
    part = MARKER.decode() + "x" * (_PART - len(MARKER))
    where: dict[str, object] = {"parent": "t"}
    for turn in range(int(MEGABYTES * 1_000_000) // _PART):
        client, clock = authors[turn % _AUTHORS], turn // _AUTHORS * _PART
        editor.send(wire.change(update((client, clock, [text(part, **where)]))))
        editor.until_relayed()  # Whoever does not read is cut off.
        where = {"left": (client, clock + _PART - 1)}
    time.sleep(3)
    editor.leave()
    time.sleep(3)


def main() -> None:
    """Load the document again and again, a line each."""
    for _ in count():
        editor = _Editor(sys.argv[1], int(sys.argv[2]))
        if editor.until_answered() < MEGABYTES * 1_000_000:
            raise RuntimeError("the document is not whole")
        print("loaded", flush=True)
        editor.leave()


if __name__ == "__main__":
    main()
