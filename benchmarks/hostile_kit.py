"""What the attacks of ``make bench-hostile`` on bystanders have in common."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator

from benchmarks.hostile_attacks import ATTACKER, connect
from benchmarks.rawclient import (
    SESSION_ID,
    RawClient,
    board_path,
    encode_text,
    upgrade_request,
)
from benchmarks.subject import Subject

Started = Callable[[], None]


def update_of(payload: bytes) -> bytes:
    """The frame of a ``presence:update`` with this payload."""
    return encode_text(b'{"type":"presence:update","payload":' + payload + b"}")


def request_for(board_id: str, user_id: str, session_id: str | None = None) -> bytes:
    """The request of a user for a board, to resume a session perhaps."""
    query = {"user_id": user_id} | ({} if session_id is None else {"session_id": session_id})
    return upgrade_request(board_path(board_id, **query), "x")


def seat_heavy_members(
    subject: Subject, stack: contextlib.ExitStack, board_id: str, count: int
) -> None:
    """Seat members with full metadata, who stay until the stack is closed."""
    for number in range(count):
        sock = stack.enter_context(connect(subject))
        sock.sendall(request_for(board_id, f"member-{number}"))
        sock.sendall(update_of(b'{"metadata":{"a":"%b"}}' % (b"x" * 2000)))
        while b"board:joined" not in sock.recv(65536):
            pass


def join(subject: Subject, board_id: str, user_id: str) -> str:
    """Begin a session, and drop its connection."""
    client = RawClient(subject.host, subject.port, board_path(board_id, user_id=user_id))
    payload = client.next_of("board:joined")["payload"]
    client.close()
    assert isinstance(payload, dict)
    return str(payload["session_id"])


def ask(
    subject: Subject, stack: contextlib.ExitStack, board_id: str, user_id: str, answer: bytes
) -> str:
    """Ask for a session, and stay once the answer is here; return the id of the session."""
    sock = stack.enter_context(connect(subject))
    sock.sendall(request_for(board_id, user_id))
    data = b""
    while answer not in data or not (found := SESSION_ID.search(data)):
        data += sock.recv(65536)
    return found[1].decode()


def paced(seconds: float, per_second: float) -> Iterator[int]:
    """Count at a pace; what was missed is caught up with."""
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        if number < passed * per_second:
            yield number
            number += 1
        else:
            time.sleep(0.002)


@contextlib.contextmanager
def held(count: int) -> Iterator[deque[socket.socket]]:
    """Sockets that stay open; the oldest of more than ``count`` is closed."""
    sockets: deque[socket.socket] = deque(maxlen=count)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def send_and_hold(
    subject: Subject,
    data: bytes,
    hold: deque[socket.socket],
    receive_buffer: int | None = None,
    address: str = ATTACKER,
) -> None:
    """Send a request on a new connection, and read nothing; the oldest one held is closed."""
    if len(hold) == hold.maxlen:
        hold[0].close()
    with contextlib.suppress(OSError):
        sock = connect(subject, receive_buffer, address)
        hold.append(sock)
        sock.setblocking(False)
        sock.send(data)


def send_at(
    subject: Subject,
    seconds: float,
    started: Started,
    sockets: int,
    per_second: float,
    data: bytes,
    *,
    one_user: bool = False,
) -> None:
    """Send from several sockets at a pace, reading what comes; one that is closed comes again."""
    with contextlib.ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        open_sockets: list[socket.socket | None] = [None] * sockets
        unsent = [data] * sockets
        started()
        for number in paced(seconds, sockets * per_second):
            index = number % sockets
            sock = open_sockets[index]
            if sock is None:
                sock = open_sockets[index] = connect(subject)
                unsent[index] = data
                sock.sendall(request_for("mallory", "mallory" if one_user else f"mallory-{index}"))
                sock.setblocking(False)
                poll.register(sock, select.EPOLLIN)
            with contextlib.suppress(OSError):
                unsent[index] = unsent[index][sock.send(unsent[index]) :] or data
            for descriptor, _ in poll.poll(0):
                _read(open_sockets, descriptor)
        for sock in open_sockets:
            if sock is not None:
                sock.close()


def _read(sockets: list[socket.socket | None], descriptor: int) -> None:
    for index, sock in enumerate(sockets):
        if sock is not None and sock.fileno() == descriptor:
            try:
                data = sock.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                sock.close()
                sockets[index] = None
            return
