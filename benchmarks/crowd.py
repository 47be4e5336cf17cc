"""Thousands of clients in one thread: one epoll loop over non-blocking sockets.

They do what every client must (answer pings, read everything) and nothing else, so that the
process that measures is not what is measured. Linux only.
"""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Callable, Iterable

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

HEARTBEAT = encode_text(b'{"type":"heartbeat","payload":{}}')
IN_FLIGHT = 500
"""Joins under way at any time, like a crowd behind a load balancer after a restart."""


class Member(Struct, eq=False):
    """One client. ``session_id`` is None until it has joined."""

    board_id: str
    user_id: str
    socket: socket.socket
    is_sent: bool = False
    session_id: str | None = None
    resumed: bool = False
    buffer: bytearray = bytearray()


class Storm(Struct, frozen=True):
    """Everybody joining at once. CPU as a share of one core."""

    joins: int
    resumed: int
    seconds: float
    server_cpu: float
    client_cpu: float

    @property
    def per_second(self) -> float:
        """Joins per second, from the first connection to the last ``board:joined``."""
        return self.joins / self.seconds


class Crowd:
    """Clients of one server."""

    def __init__(self, subject: Subject) -> None:
        self.members: list[Member] = []
        self.lost = 0
        """Connections that the server ended."""
        self.on_text: Callable[[Member, bytes], None] = lambda _member, _payload: None
        """Is given every text frame that comes after ``board:joined``."""
        self.on_binary: Callable[[Member, bytes], None] = lambda _member, _payload: None
        """Is given every binary frame."""
        self._subject = subject
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, Member] = {}
        self._joined = 0

    def join(
        self,
        places: Iterable[tuple[str, str]],
        sessions: dict[str, str] | None = None,
        *,
        timeout_s: float = 120.0,
    ) -> Storm:
        """Connect everybody of ``places`` (board, user), with the session the user had.

        Raises:
            TimeoutError: not everybody had joined within ``timeout_s``.
        """
        waiting = list(reversed(list(places)))
        goal, first = self._joined + len(waiting), len(self.members)
        began, cpu = time.perf_counter(), self._subject.cpu_seconds()
        own_cpu = time.process_time()
        while self._joined < goal:
            while waiting and len(self.members) - self._joined < IN_FLIGHT:
                self._connect(*waiting.pop())
            self.turn(1.0, sessions or {})
            if time.perf_counter() - began > timeout_s:
                raise TimeoutError(f"{goal - self._joined} of the crowd have not joined")
        seconds = time.perf_counter() - began
        come = self.members[first:]
        return Storm(
            joins=len(come),
            resumed=sum(member.resumed for member in come),
            seconds=seconds,
            server_cpu=(self._subject.cpu_seconds() - cpu) / seconds,
            client_cpu=(time.process_time() - own_cpu) / seconds,
        )

    def turn(self, timeout_s: float, sessions: dict[str, str] | None = None) -> None:
        """Wait for input, at most ``timeout_s``, and handle what is there."""
        for descriptor, _ in self._epoll.poll(max(0.0, timeout_s)):
            member = self._by_descriptor[descriptor]
            if member.is_sent:
                self._read(member)
            else:
                self._ask(member, (sessions or {}).get(member.user_id))

    def run_until(self, at: float) -> None:
        """Handle input until :func:`time.perf_counter` shows ``at``."""
        while (left := at - time.perf_counter()) > 0:
            self.turn(left)

    def sessions(self) -> dict[str, str]:
        """The session of each user who has joined."""
        return {m.user_id: m.session_id for m in self.members if m.session_id is not None}

    def close(self) -> None:
        """Drop all connections."""
        for member in self.members:
            member.socket.close()
        self._epoll.close()

    def _connect(self, board_id: str, user_id: str) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((self._subject.host, self._subject.port))
        member = Member(board_id, user_id, sock, buffer=bytearray())
        self.members.append(member)
        self._by_descriptor[sock.fileno()] = member
        self._epoll.register(sock, select.EPOLLOUT)

    def _ask(self, member: Member, session_id: str | None) -> None:
        query = {"user_id": member.user_id}
        if session_id is not None:
            query["session_id"] = session_id
        path = board_path(member.board_id, **query)
        member.socket.send(upgrade_request(path, self._subject.host))
        member.is_sent = True
        self._epoll.modify(member.socket, select.EPOLLIN)

    def _read(self, member: Member) -> None:
        try:
            data = member.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lost += 1
            self._epoll.unregister(member.socket)
            return
        member.buffer += data
        if member.session_id is None and member.buffer.startswith(b"HTTP/"):
            head, separator, rest = bytes(member.buffer).partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head:
                raise ConnectionError(head.decode("latin-1"))
            member.buffer = bytearray(rest)
        for opcode, payload in split_frames(member.buffer):
            if opcode == 1:
                self._text(member, payload)
            elif opcode == 2:
                self.on_binary(member, payload)
            elif opcode == 9:
                member.socket.send(PONG)

    def _text(self, member: Member, payload: bytes) -> None:
        if member.session_id is not None:
            self.on_text(member, payload)
            return
        # Whoever gets anything else first (a place in the queue, an error) is not expected here.
        found = SESSION_ID.search(payload)
        if not payload.startswith(b'{"type":"board:joined"') or found is None:
            raise ConnectionError(payload[:200].decode(errors="replace"))
        member.session_id = found[1].decode()
        member.resumed = b'"resumed":true' in payload
        self._joined += 1


def allow_many_sockets() -> None:
    """Raise this process's limit of descriptors (which its servers inherit) to what it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
