"""The attacks of ``make bench-hostile``. Each runs for about as long as it is told, then goes."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
import zlib
from collections.abc import Callable, Iterator

from benchmarks.crowd import HEARTBEAT
from benchmarks.rawclient import board_path, upgrade_request
from benchmarks.subject import Subject

ATTACKER = "127.0.0.2"
MIB = 2**20
_PING = b"\x89\xfd\0\0\0\0" + b"x" * 125


def calm(subject: Subject, seconds: float) -> None:
    """Nothing at all: what the machine itself does to the figures."""
    time.sleep(seconds)


def slow_reader(subject: Subject, seconds: float) -> None:
    """Takes a seat on the full board, and then never reads."""
    for _ in _until(seconds):
        with _joined(subject, board="board", receive_buffer=4096):
            time.sleep(min(seconds, 12))


def messages(subject: Subject, seconds: float) -> None:
    """10 000 messages a second from one socket."""
    for _ in _until(seconds):
        with _joined(subject) as sock:
            _pour(sock, HEARTBEAT * 500, 500, 10_000, seconds)


def pings(subject: Subject, seconds: float) -> None:
    """As many pings as one socket takes, reading none of the answers."""
    for _ in _until(seconds):
        with _joined(subject) as sock:
            _pour(sock, _PING * 200, 200, 1e9, seconds)


def half_open(subject: Subject, seconds: float) -> None:
    """2 000 handshakes that do not go on."""
    with contextlib.ExitStack() as stack:
        for _ in range(2000):
            sock = stack.enter_context(_call(subject))
            with contextlib.suppress(OSError):
                sock.send(b"GET /ws/boards/demo HTTP/1.1\r\nHo")
        time.sleep(max(0.0, seconds - 1))


def connects(subject: Subject, seconds: float) -> None:
    """10 000 connects from one address, as fast as they go."""
    began = time.monotonic()
    for _ in range(10_000):
        with contextlib.suppress(OSError), _call(subject) as sock:
            sock.send(b"GET / HTTP/1.1\r\n")
        if time.monotonic() - began > 2 * seconds:
            return


def pages(subject: Subject, seconds: float) -> None:
    """300 requests for a page in flight, all the time."""
    stop_at = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for _ in range(300):
            selector.register(_ask(subject, "/"), selectors.EVENT_READ)
        while time.monotonic() < stop_at:
            for key, _ in selector.select(0.1):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                with contextlib.suppress(OSError):
                    if sock.recv(1 << 18):
                        continue
                selector.unregister(sock)
                sock.close()
                selector.register(_ask(subject, "/"), selectors.EVENT_READ)
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()


def tabs(subject: Subject, seconds: float) -> None:
    """Two thousand tabs of one user at once on the full board; all drop, and come again."""
    for _ in _until(seconds):
        with contextlib.ExitStack() as stack:
            for _ in range(2000):
                sock = stack.enter_context(_call(subject))
                with contextlib.suppress(OSError):
                    sock.send(upgrade_request(board_path("board", user_id="mallory"), "x"))
            time.sleep(1)


def boards(subject: Subject, seconds: float) -> None:
    """A board each time, as fast as they go, left behind with a session that dropped."""
    for number, _ in enumerate(_until(seconds, pause_s=0)):
        with contextlib.suppress(OSError), _call(subject) as sock:
            path = board_path(f"board-{number}", user_id="mallory")
            sock.sendall(upgrade_request(path, "x"))
            while b"board:joined" not in sock.recv(4096):
                pass


def too_big(subject: Subject, seconds: float) -> None:
    """65 KiB in one message, and 64 MiB more whatever the answer."""
    with _joined(subject) as sock:
        sock.sendall(_frame(0x81, b"x" * 65 * 1024))
        with contextlib.suppress(OSError):
            for _ in range(1024):
                sock.sendall(b"x" * 65536)
    time.sleep(max(0.0, seconds - 4))


def bomb(subject: Subject, seconds: float) -> None:
    """48 MiB of nothing, compressed."""
    deflate = zlib.compressobj(9, wbits=-15)
    data = deflate.compress(bytes(48 * MIB)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    for _ in _until(seconds):
        offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        with _joined(subject, offer) as sock, contextlib.suppress(OSError):
            sock.sendall(_frame(0xC1, data[:-4]))
            while sock.recv(65536):
                pass
        time.sleep(0.2)


ATTACKS: dict[str, Callable[[Subject, float], None]] = {
    attack.__name__: attack
    for attack in (
        calm,
        slow_reader,
        messages,
        pings,
        half_open,
        connects,
        pages,
        tabs,
        boards,
        too_big,
        bomb,
    )
}


def _until(seconds: float, pause_s: float = 0.05) -> Iterator[None]:
    stop_at = time.monotonic() + seconds
    while time.monotonic() < stop_at:
        yield
        time.sleep(pause_s)


def connect(
    subject: Subject,
    receive_buffer: int | None = None,
    address: str = ATTACKER,
    timeout_s: float = 10,
) -> socket.socket:
    """A connection from an address of this machine, without a request."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(timeout_s)
    sock.bind((address, 0))
    sock.connect((subject.host, subject.port))
    return sock


def _call(subject: Subject, receive_buffer: int | None = None) -> socket.socket:
    return connect(subject, receive_buffer, timeout_s=30)


def _ask(subject: Subject, path: str) -> socket.socket:
    sock = _call(subject)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return sock


def _joined(
    subject: Subject, header: str = "", *, board: str = "mallory", receive_buffer: int | None = None
) -> socket.socket:
    sock = _call(subject, receive_buffer)
    sock.sendall(upgrade_request(board_path(board, user_id="mallory"), "x", header))
    assert b" 101 " in sock.recv(64)
    return sock


def _pour(sock: socket.socket, data: bytes, count: int, per_second: float, seconds: float) -> None:
    began, sent = time.monotonic(), 0
    sock.settimeout(1)
    with contextlib.suppress(OSError):
        while (passed := time.monotonic() - began) < seconds:
            if sent < passed * per_second:
                sock.sendall(data)
                sent += count
            else:
                time.sleep(0.005)


def _frame(first: int, data: bytes) -> bytes:
    length = len(data)
    if length < 65536:
        return bytes((first, 0xFE)) + length.to_bytes(2, "big") + b"\0\0\0\0" + data
    return bytes((first, 0xFF)) + length.to_bytes(8, "big") + b"\0\0\0\0" + data
