"""The clients of ``make soak``: a few hundred who cannot make up their minds."""

from __future__ import annotations

import json
import random
import select
import socket
import time
from collections import Counter

from msgspec import Struct

from benchmarks.rawclient import (
    PONG,
    SESSION_ID,
    board_path,
    encode_text,
    split_frames,
    upgrade_request,
)
from benchmarks.subject import Subject

BOARDS = 4
LOUD = "soak-0"
PEOPLE = 180
"""Who want to be there at a time; more than there are seats, so that there is a queue."""
SLOW = 6
ACTIONS_PER_S = 400
LOUD_PER_S = 150
"""Large updates on the board of the slow readers: what the system takes for a peer that does
not read is some megabytes on a loopback, and the outbox begins behind that."""
READS_NOTHING_S = (5.0, 25.0)


class Person(Struct, eq=False):
    """One connection. ``session_id`` is None until there is one."""

    board_id: str
    user_id: str
    socket: socket.socket
    reads_from: float = 0.0
    session_id: str | None = None
    is_open: bool = False
    buffer: bytearray = bytearray()


class Churn:
    """Does something at random, all the time, and answers what must be answered."""

    def __init__(self, subject: Subject, chance: random.Random) -> None:
        self.closed: Counter[int] = Counter()
        """Close codes that the server gave; 0 for an end without one."""
        self._did: Counter[str] = Counter()
        self._subject = subject
        self._chance = chance
        self._epoll = select.epoll()
        self._people: dict[int, Person] = {}
        self._dropped: list[Person] = []
        self._number = 0
        self._tend_at = 0.0

    def counts(self) -> str:
        """What was done so far."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self._did.items()))

    def run(self, seconds: float) -> None:
        """Churn for a while."""
        began, done, loud = time.monotonic(), 0, 0
        while (passed := time.monotonic() - began) < seconds:
            self._turn(0.005)
            while done < passed * ACTIONS_PER_S:
                self._act()
                done += 1
            while loud < passed * LOUD_PER_S:
                self._be_loud()
                loud += 1
            if time.monotonic() > self._tend_at:
                self._tend_slow_readers()

    def close(self) -> None:
        """Everybody leaves, some of them with a word."""
        for person in list(self._people.values()):
            if self._chance.random() < 0.5:
                self._send(person, "board:leave")
            self._forget(person)
        self._epoll.close()

    # --- what they do ---------------------------------------------------------

    def _act(self) -> None:
        wanted = PEOPLE + SLOW - len(self._people)
        if wanted > 0 and self._chance.random() < min(1.0, wanted / 40):
            self._come()
            return
        person = self._chance.choice(list(self._people.values()))
        if not person.is_open:
            return
        luck = self._chance.random()
        if luck < 0.04:
            self._did["drops"] += 1
            self._dropped.append(person)
            self._forget(person)
        elif luck < 0.06:
            self._did["leaves"] += 1
            self._send(person, "board:leave")
        elif luck < 0.07:
            self._did["page left"] += 1
            self._write(person, b"\x88\x82\0\0\0\0\x03\xe9")
        elif luck < 0.3:
            self._did["updates"] += 1
            note = "x" * self._chance.randint(0, 1500)
            status = self._chance.choice(["online", "idle", "away"])
            self._send(person, "presence:update", status=status, metadata={"n": note})
        elif luck < 0.9:
            self._did["cursors"] += 1
            x, y = self._chance.random(), self._chance.random()
            self._send(person, "presence:update", cursor={"x": x, "y": y})
        else:
            self._send(person, "heartbeat")

    def _be_loud(self) -> None:
        person = self._chance.choice(list(self._people.values()))
        if person.is_open and person.board_id == LOUD and not self._is_slow(person):
            self._did["loud updates"] += 1
            self._send(person, "presence:update", metadata={"n": "y" * 1900})

    def _tend_slow_readers(self) -> None:
        """They answer pings that they have not read, and one day they read everything."""
        now = time.monotonic()
        self._tend_at = now + 0.5
        for person in list(self._people.values()):
            if not person.reads_from:
                continue
            if now < person.reads_from:
                self._write(person, PONG)
            else:
                person.reads_from = 0.0
                self._did["slow readers wake"] += 1
                self._epoll.modify(person.socket, select.EPOLLIN)

    def _is_slow(self, person: Person) -> bool:
        return person.reads_from > 0

    def _come(self) -> None:
        if len(self._dropped) > 20 or (self._dropped and self._chance.random() < 0.6):
            who = self._dropped.pop(self._chance.randrange(len(self._dropped)))
            self._did["resumes asked"] += 1
            self._connect(who.board_id, who.user_id, who.session_id, slow=False)
            return
        slow = sum(map(self._is_slow, self._people.values())) < SLOW
        self._number += 1
        # Some have been here before, and some are here already, in another tab.
        name = self._number if self._chance.random() < 0.7 else self._chance.randint(1, 300)
        self._did["slow readers" if slow else "joins asked"] += 1
        board_id = LOUD if slow else f"soak-{self._chance.randrange(BOARDS)}"
        self._connect(board_id, f"user-{name}", None, slow=slow)

    def _connect(self, board_id: str, user_id: str, session_id: str | None, *, slow: bool) -> None:
        sock = socket.socket()
        if slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(10)
        sock.connect((self._subject.host, self._subject.port))
        query = {"user_id": user_id} | ({"session_id": session_id} if session_id else {})
        sock.sendall(upgrade_request(board_path(board_id, **query), self._subject.host))
        sock.setblocking(False)
        reads_from = time.monotonic() + self._chance.uniform(*READS_NOTHING_S) if slow else 0.0
        person = Person(board_id, user_id, sock, reads_from, buffer=bytearray())
        self._people[sock.fileno()] = person
        self._epoll.register(sock, 0 if slow else select.EPOLLIN)

    def _send(self, person: Person, kind: str, **payload: object) -> None:
        self._write(person, encode_text(json.dumps({"type": kind, "payload": payload}).encode()))

    def _write(self, person: Person, data: bytes) -> None:
        try:
            if person.socket.send(data) != len(data):
                self._forget(person)  # Half a frame: it would be a violation to go on.
        except BlockingIOError:
            pass
        except OSError:
            self._forget(person)

    # --- what they hear -------------------------------------------------------

    def _turn(self, timeout_s: float) -> None:
        for descriptor, _ in self._epoll.poll(timeout_s):
            person = self._people.get(descriptor)
            if person is None:
                continue
            if self._is_slow(person):
                self._did["slow readers cut"] += 1
                self._forget(person)
            else:
                self._read(person)

    def _read(self, person: Person) -> None:
        try:
            data = person.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed[0] += person.is_open
            self._forget(person)
            return
        person.buffer += data
        if not person.is_open:
            head, separator, rest = bytes(person.buffer).partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head:
                raise ConnectionError(head.decode("latin-1"))
            person.is_open = True
            person.buffer = bytearray(rest)
        for opcode, payload in split_frames(person.buffer):
            if opcode == 9:
                self._write(person, PONG)
            elif opcode == 8:
                self.closed[int.from_bytes(payload[:2], "big")] += 1
                person.is_open = False
                self._forget(person)
                return
            elif person.session_id is None or payload.startswith(b'{"type":"board:'):
                self._note_session(person, payload)

    def _note_session(self, person: Person, payload: bytes) -> None:
        found = SESSION_ID.search(payload)
        if found is None:
            return
        person.session_id = found[1].decode()
        if payload.startswith(b'{"type":"board:joined"'):
            self._did["resumed" if b'"resumed":true' in payload else "joined"] += 1
        else:
            self._did["queue positions"] += 1

    def _forget(self, person: Person) -> None:
        if self._people.pop(person.socket.fileno(), None) is not None:
            self._epoll.unregister(person.socket)
        person.socket.close()
