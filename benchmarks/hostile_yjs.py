"""Attacks with the messages of Yjs, on the board of those who are measured.

Members of a board type into its document, and the clock of another one says how long a letter
takes. The attacker is on the same board. Aim: the others' p99 less than twice that of the calm
phase before.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

from typing_extensions import override

from benchmarks.crowd import Member
from benchmarks.hostile_attacks import ATTACKER
from benchmarks.hostile_bystanders import BOARD, SENDERS, Bystanders
from benchmarks.rawclient import board_path, encode_binary, upgrade_request
from benchmarks.subject import Subject
from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import encode_entries, encode_entry
from presence_server.core.yjs.vector import EMPTY_VECTOR
from tests.core.yjs.updates import text, update

Started = Callable[[], None]
_MARKER = re.compile(rb"<(\d+)>")
_FIRST_CLIENT = 1000
"""The client ids of attackers begin here; those of the others are below."""
_QUESTION = encode_binary(wire.step_1(EMPTY_VECTOR))


class Typists(Bystanders):
    """Users of a board who type into its document."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._clocks = [0] * (SENDERS + 1)
        for member in self._crowd.members:
            member.socket.send(_QUESTION)
        self._crowd.on_binary = self._on_binary

    @override
    def _probe(self) -> None:
        self._number += 1
        client = 1 + self._number % SENDERS
        clock, marker = self._clocks[client], f"<{self._number}>"
        self._clocks[client] += len(marker)
        data = _typed(client, clock, marker)
        self._sent[self._number] = time.perf_counter()
        with contextlib.suppress(OSError):
            self._crowd.members[client].socket.send(encode_binary(wire.change(data)))

    def _on_binary(self, member: Member, payload: bytes) -> None:
        if member is not self._crowd.members[0]:
            return
        now = time.perf_counter()
        for found in _MARKER.finditer(payload):
            sent_at = self._sent.pop(int(found[1]), None)
            if sent_at is not None:
                self._found.times.append((now - sent_at) * 1000)


def yjs_updates(subject: Subject, seconds: float, started: Started) -> None:
    """10 000 updates a second from one socket."""

    def updates(client: int) -> Iterator[bytes]:
        for clock in itertools.count(step=100):
            changes = [wire.change(_typed(client, clock + n, "x")) for n in range(100)]
            yield b"".join(map(encode_binary, changes))

    _pour(subject, seconds, started, updates, 100)


def yjs_step_1(subject: Subject, seconds: float, started: Started) -> None:
    """Sync step 1 a thousand times a second, for a document of half a mebibyte."""

    def questions(client: int) -> Iterator[bytes]:
        yield encode_binary(wire.change(_typed(client, 0, "x" * 2**19)))
        yield from itertools.repeat(_QUESTION * 100)

    _pour(subject, seconds, started, questions, 10)


def yjs_ids(subject: Subject, seconds: float, started: Started) -> None:
    """Awareness of 4 000 client ids that nobody has, 50 times a second."""

    def crowds(client: int) -> Iterator[bytes]:
        for first in itertools.count(client * 10**6, step=4000):
            entries = [encode_entry(first + n, 1, b"{}") for n in range(4000)]
            yield encode_binary(wire.awareness(encode_entries(entries)))

    _pour(subject, seconds, started, crowds, 50)


def yjs_states(subject: Subject, seconds: float, started: Started) -> None:
    """Awareness states of 1 MiB, ten times a second."""

    def states(client: int) -> Iterator[bytes]:
        state = b'{"a":"%b"}' % (b"x" * 2**20)
        for clock in itertools.count(1):
            entries = encode_entries([encode_entry(client, clock, state)])
            yield encode_binary(wire.awareness(entries))

    _pour(subject, seconds, started, states, 10)


YJS: dict[str, Callable[[Subject, float, Started], None]] = {
    attack.__name__: attack for attack in (yjs_updates, yjs_step_1, yjs_ids, yjs_states)
}


def _typed(client: int, clock: int, value: str) -> bytes:
    where: dict[str, object] = {"left": (client, clock - 1)} if clock else {"parent": "text"}
    return update((client, clock, [text(value, **where)]))


def _pour(
    subject: Subject,
    seconds: float,
    started: Started,
    chunks: Callable[[int], Iterator[bytes]],
    per_second: float,
) -> None:
    """Send chunks at a pace, as fast as they are read, and read all that comes.

    Args:
        subject: the server.
        seconds: how long.
        started: called at the beginning.
        chunks: makes what one connection sends, of the client id that it has.
        per_second: how many chunks.
    """
    stop_at = time.monotonic() + seconds
    started()
    for client in itertools.count(_FIRST_CLIENT):
        if time.monotonic() > stop_at:
            return
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((ATTACKER, 0))
            sock.connect((subject.host, subject.port))
            sock.settimeout(2)
            path = board_path(BOARD, user_id="mallory")
            sock.sendall(upgrade_request(path, "x") + _QUESTION)
            threading.Thread(target=_drain, args=(sock,), daemon=True).start()
            began = time.monotonic()
            for number, chunk in enumerate(chunks(client)):
                time.sleep(max(0.0, began + number / per_second - time.monotonic()))
                if time.monotonic() > stop_at:
                    return
                sock.sendall(chunk)
        time.sleep(0.1)


def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(1 << 18):
            pass
