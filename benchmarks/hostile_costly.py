"""Attacks within every limit, which cost the server more than they cost the attacker.

Each is given the server, how long to go on, and what to call once it is under way: some of
them fill a board first. They run in a process of their own (:mod:`benchmarks.hostile_bystanders`).
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator

from benchmarks.hostile_attacks import ATTACKER
from benchmarks.rawclient import (
    PONG,
    SESSION_ID,
    RawClient,
    board_path,
    encode_binary,
    encode_text,
)
from benchmarks.rawclient import upgrade_request as request_of
from benchmarks.subject import Subject
from presence_server.core.yjs import wire
from presence_server.core.yjs.varint import write_uint

Started = Callable[[], None]

CURSOR = encode_text(b'{"type":"presence:update","payload":{"cursor":{"x":1,"y":2}}}')


def repeated_keys(subject: Subject, seconds: float, started: Started) -> None:
    """65 KB of numbers under a key that is repeated: 10 sockets, twice a second each."""
    numbers = b",".join([b"1e308"] * 10_800)
    _send_at(subject, seconds, started, 10, 2, _update(b'{"metadata":{"a":[%b],"a":1}}' % numbers))


def full_metadata(subject: Subject, seconds: float, started: Started) -> None:
    """Metadata of 2 KB from 10 sockets, 48 times a second each."""
    _send_at(subject, seconds, started, 10, 48, _update(b'{"metadata":{"a":"%b"}}' % (b"x" * 2000)))


def tabs_of_one(subject: Subject, seconds: float, started: Started) -> None:
    """50 tabs of one user, each with new metadata 48 times a second; all of them read."""
    data = _update(b'{"metadata":{"a":"%b"}}' % (b"x" * 2000))
    _send_at(subject, seconds, started, 50, 48, data, one_user=True)


def resumes(subject: Subject, seconds: float, started: Started) -> None:
    """One session, resumed up to 900 times a second with 99 updates behind each request head."""
    session_id = _join(subject, "mallory", "mallory")
    request = _request("mallory", "mallory", session_id) + CURSOR * 99
    started()
    with _held(30) as hold:
        for _ in _paced(seconds, 900):
            _send_and_hold(subject, request, hold)


def heads(subject: Subject, seconds: float, started: Started) -> None:
    """950 connects a second: an id of 3 800 escapes and a name of 640 combining marks."""
    path = "/ws/boards/mallory?user_id=" + "%41" * 3800 + "&display_name=" + "%CC%81" * 640
    request = request_of(path, "x")
    started()
    with _held(200) as hold:
        for _ in _paced(seconds, 950):
            _send_and_hold(subject, request, hold)


def unread_snapshots(subject: Subject, seconds: float, started: Started) -> None:
    """Resumes on a board of 99 with full metadata, none of which reads its snapshot."""
    with contextlib.ExitStack() as stack:
        for number in range(99):
            sock = stack.enter_context(_connect(subject))
            sock.sendall(_request("heavy", f"member-{number}"))
            sock.sendall(_update(b'{"metadata":{"a":"%b"}}' % (b"x" * 2000)))
            while b"board:joined" not in sock.recv(65536):
                pass
        session_id = _join(subject, "heavy", "mallory")
        request = _request("heavy", "mallory", session_id)
        started()
        with _held(3000) as hold:
            for _ in _paced(seconds, 900):
                _send_and_hold(subject, request, hold, receive_buffer=4096)


def queue_of_thousand(subject: Subject, seconds: float, started: Started) -> None:
    """1 000 wait for a full board, and come back to their places 900 times a second."""
    with contextlib.ExitStack() as stack:
        for number in range(100):
            _ask(subject, stack, "queue", f"member-{number}", b"board:joined")
        waiting = [
            _ask(subject, stack, "queue", f"waiting-{number}", b"board:queued")
            for number in range(1000)
        ]
        requests = [
            _request("queue", f"waiting-{number}", session_id)
            for number, session_id in enumerate(waiting)
        ]
        started()
        with _held(2000) as hold:
            for number in _paced(seconds, 900):
                _send_and_hold(subject, requests[number % 1000], hold)


def yjs_questions(subject: Subject, seconds: float, started: Started) -> None:
    """Long state vectors, awareness of thousands and queries: 10 sockets, 48 times a second."""
    entries = write_uint(9000) + b"".join(write_uint(n) + b"\1\2{}" for n in range(9000))
    vector = write_uint(30_000) + b"".join(write_uint(2**21 + n) + b"\1" for n in range(30_000))
    messages = (wire.step_1(vector), wire.awareness(entries), wire.QUERY_AWARENESS)
    data = b"".join(map(encode_binary, messages))
    _send_at(subject, seconds, started, 10, 48, data)


def endless_messages(subject: Subject, seconds: float, started: Started) -> None:
    """300 messages of 60 KB in fragments that never end, kept alive by pongs."""
    part = bytes((0x01, 0xFE)) + (60_000).to_bytes(2, "big") + b"\0\0\0\0" + b"x" * 60_000
    with contextlib.ExitStack() as stack:
        sockets = []
        for number in range(300):
            sock = stack.enter_context(_connect(subject))
            sock.sendall(_request(f"mallory-{number}", "mallory") + part)
            sockets.append(sock)
        started()
        for _ in _paced(max(seconds, 14), 1):
            for sock in sockets:
                with contextlib.suppress(OSError):
                    sock.send(PONG)


COSTLY: dict[str, Callable[[Subject, float, Started], None]] = {
    attack.__name__: attack
    for attack in (
        repeated_keys,
        full_metadata,
        tabs_of_one,
        resumes,
        heads,
        unread_snapshots,
        queue_of_thousand,
        yjs_questions,
        endless_messages,
    )
}


def _update(payload: bytes) -> bytes:
    return encode_text(b'{"type":"presence:update","payload":' + payload + b"}")


def _request(board_id: str, user_id: str, session_id: str | None = None) -> bytes:
    query = {"user_id": user_id} | ({} if session_id is None else {"session_id": session_id})
    return request_of(board_path(board_id, **query), "x")


def _connect(subject: Subject, receive_buffer: int | None = None) -> socket.socket:
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(10)
    sock.bind((ATTACKER, 0))
    sock.connect((subject.host, subject.port))
    return sock


def _join(subject: Subject, board_id: str, user_id: str) -> str:
    """Begin a session, and drop its connection."""
    client = RawClient(subject.host, subject.port, board_path(board_id, user_id=user_id))
    payload = client.next_of("board:joined")["payload"]
    client.close()
    assert isinstance(payload, dict)
    return str(payload["session_id"])


def _ask(
    subject: Subject, stack: contextlib.ExitStack, board_id: str, user_id: str, answer: bytes
) -> str:
    sock = stack.enter_context(_connect(subject))
    sock.sendall(_request(board_id, user_id))
    data = b""
    while answer not in data or not (found := SESSION_ID.search(data)):
        data += sock.recv(65536)
    return found[1].decode()


def _paced(seconds: float, per_second: float) -> Iterator[int]:
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        if number < passed * per_second:
            yield number
            number += 1
        else:
            time.sleep(0.002)


@contextlib.contextmanager
def _held(count: int) -> Iterator[deque[socket.socket]]:
    """Sockets that stay open; the oldest of more than ``count`` is closed."""
    sockets: deque[socket.socket] = deque(maxlen=count)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def _send_and_hold(
    subject: Subject,
    data: bytes,
    hold: deque[socket.socket],
    receive_buffer: int | None = None,
) -> None:
    if len(hold) == hold.maxlen:
        hold[0].close()
    with contextlib.suppress(OSError):
        sock = _connect(subject, receive_buffer)
        hold.append(sock)
        sock.setblocking(False)
        sock.send(data)


def _send_at(
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
        for number in _paced(seconds, sockets * per_second):
            index = number % sockets
            sock = open_sockets[index]
            if sock is None:
                sock = open_sockets[index] = _connect(subject)
                unsent[index] = data
                sock.sendall(_request("mallory", "mallory" if one_user else f"mallory-{index}"))
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
