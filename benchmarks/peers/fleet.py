"""All clients in one thread: raw sockets under one epoll, deliveries counted, not decoded.

Linux only. The cost of a delivery is one ``recv`` and one search for a few bytes, so that the
client has most of its core left when a server has none.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable

from msgspec import Struct

from benchmarks.peers.dialect import Dialect
from benchmarks.rawclient import PONG, upgrade_request
from benchmarks.subject import Subject

READ_SIZE = 65536
IN_FLIGHT = 200
"""Members joining at any time."""
QUIET_S = 0.3

_ENGINE_PING, _ENGINE_PONG = b"\x81\x012", b"\x81\x81\0\0\0\x003"


class Member(Struct, eq=False):
    """One client."""

    board: int
    user: str
    sock: socket.socket
    fd: int
    buffer: bytes = b""
    state: int = 0
    """0: connecting, 1: asked for the upgrade, 2: upgraded, 3: a member."""


class Fleet:
    """Clients of one server.

    Args:
        subject: the server.
        dialect: how they speak to it.
        is_silent: whether they say nothing once the upgrade is through.
    """

    def __init__(self, subject: Subject, dialect: Dialect, *, is_silent: bool = False) -> None:
        self.members: list[Member] = []
        self.dialect = dialect
        self.lost = 0
        """Connections that the server ended."""
        self.by_fd: dict[int, Member] = {}
        self._subject = subject
        self._hello = b"" if is_silent else dialect.hello()
        self._ready = b"" if is_silent else dialect.ready()
        self._epoll = select.epoll()
        self._tails: dict[int, bytes] = {}
        self._end = dialect.frame_end()
        self._marker = dialect.marker()
        self._tail = len(self._marker) - 1

    def join(self, places: Iterable[tuple[int, str]], timeout_s: float = 90.0) -> list[Member]:
        """Connect members (board number, user) and wait until all are; returns them.

        Raises:
            TimeoutError: not all were within ``timeout_s``.
            ConnectionError: one was refused.
        """
        waiting = list(reversed(list(places)))
        first, give_up_at = len(self.members), time.perf_counter() + timeout_s
        goal, joined = len(waiting), 0
        while joined < goal:
            while waiting and len(self.members) - first - joined < IN_FLIGHT:
                self._connect(*waiting.pop())
            for fd, _ in self._epoll.poll(1.0):
                joined += self._advance(self.by_fd[fd])
            if time.perf_counter() > give_up_at:
                raise TimeoutError(f"{goal - joined} of {goal} did not join")
        self.settle()
        return self.members[first:]

    def settle(self, timeout_s: float = 15.0) -> None:
        """Read until nothing comes any more."""
        give_up_at = time.perf_counter() + timeout_s
        while self.poll(QUIET_S, self.answer) and time.perf_counter() < give_up_at:
            pass

    def answer(self, fd: int, data: bytes) -> None:
        """Pass over what came, but for a ping that came with it."""
        if b"\x89\x00" in data:
            self.by_fd[fd].sock.send(PONG)

    def neglect(self, member: Member) -> None:
        """Read nothing of one member any more."""
        self._epoll.unregister(member.fd)

    def poll(self, timeout_s: float, on_data: Callable[[int, bytes], object]) -> int:
        """Wait for input, at most ``timeout_s``; hand over what came. Returns how many had some."""
        ready = self._epoll.poll(timeout_s, 1024)
        by_fd = self.by_fd
        for fd, _ in ready:
            try:
                data = by_fd[fd].sock.recv(READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if len(data) < 8 and self._is_control(fd, data):
                continue
            on_data(fd, data)
        return len(ready)

    def count(self, fd: int, data: bytes) -> int:
        """How many deliveries end up complete with this piece of one connection's stream."""
        marker, tail = self._marker, self._tail
        found = data.count(marker)
        tails = self._tails
        if tails and fd in tails:
            found += (tails.pop(fd) + data[:tail]).count(marker)
        if data[-1] != self._end:
            tails[fd] = data[-tail:]
        return found

    def is_closed(self, member: Member) -> bool:
        """Whether the server ended the connection of one that was not read: reads what waits."""
        member.sock.settimeout(1.0)
        try:
            while member.sock.recv(READ_SIZE):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Drop all connections."""
        for member in self.members:
            member.sock.close()
        self._epoll.close()

    def _is_control(self, fd: int, data: bytes) -> bool:
        """Handle the end of a connection, and questions whether we are there."""
        if not data:
            self.lost += 1
            self._epoll.unregister(fd)
            return True
        if data[0] == 0x89:
            self.by_fd[fd].sock.send(PONG if data[1] == 0 else _pong(data[2 : 2 + data[1]]))
            return True
        if data == _ENGINE_PING:
            self.by_fd[fd].sock.send(_ENGINE_PONG)
            return True
        return False

    def _connect(self, board: int, user: str) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect_ex((self._subject.host, self._subject.port))
        member = Member(board, user, sock, sock.fileno())
        self.members.append(member)
        self.by_fd[member.fd] = member
        self._epoll.register(sock, select.EPOLLOUT)

    def _advance(self, member: Member) -> bool:
        """Move one that is joining on; True when it has become a member by this."""
        if member.state == 0:
            path = self.dialect.path(f"board-{member.board}", member.user)
            host = f"{self._subject.host}:{self._subject.port}"
            member.sock.send(upgrade_request(path, host))
            member.state = 1
            self._epoll.modify(member.fd, select.EPOLLIN)
            return False
        data = member.sock.recv(READ_SIZE)
        if not data:
            raise ConnectionError("the server closed a connection that was joining")
        if member.state == 3:
            return False
        member.buffer += data
        if member.state == 1:
            head, end, rest = member.buffer.partition(b"\r\n\r\n")
            if not end:
                return False
            if b" 101 " not in head.partition(b"\r\n")[0]:
                raise ConnectionError(head.decode("latin-1"))
            member.buffer, member.state = rest, 2
            if self._hello:
                member.sock.send(self._hello)
        if self._ready not in member.buffer:
            return False
        member.buffer, member.state = b"", 3
        return True


def places(boards: int, members: int) -> list[tuple[int, str]]:
    """Members of boards, board by board; names are as long as each other."""
    return [(board, f"u{user:04d}") for board in range(boards) for user in range(members)]


def _pong(payload: bytes) -> bytes:
    """The mask is zero: what is sent is what is meant."""
    return bytes((0x8A, 0x80 | len(payload))) + b"\0\0\0\0" + payload
