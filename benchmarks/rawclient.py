"""The cheapest WebSocket client that tells the truth: a blocking socket and a frame parser.

It masks with zeros (allowed by RFC 6455, free to compute) and parses only what a
server sends: unmasked, unfragmented frames.
"""

from __future__ import annotations

import json
import re
import socket
from urllib.parse import urlencode

PONG = b"\x8a\x80\0\0\0\0"
"""The payload of our server's pings is not looked at when it comes back."""
SESSION_ID = re.compile(rb'"session_id":"([^"]+)"')


def upgrade_request(path: str, host: str, headers: str = "") -> bytes:
    """The request of a WebSocket; ``headers`` are more of them, each with its line end."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{headers}"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def encode_text(payload: bytes) -> bytes:
    """One masked text frame."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, 0x80 | length)) + b"\0\0\0\0" + payload
    return b"\x81\xfe" + length.to_bytes(2, "big") + b"\0\0\0\0" + payload


def encode_binary(payload: bytes) -> bytes:
    """One masked binary frame."""
    length = len(payload)
    if length < 126:
        head = bytes((0x82, 0x80 | length))
    elif length < 65_536:
        head = b"\x82\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + length.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


def split_frames(buffer: bytearray) -> list[tuple[int, bytes]]:
    """Take the whole frames off the front of ``buffer``: (opcode, payload) each."""
    frames, position, size = [], 0, len(buffer)
    while size - position >= 2:
        length, start = buffer[position + 1], position + 2
        if length == 126:
            if size - position < 4:
                break
            length, start = int.from_bytes(buffer[position + 2 : position + 4], "big"), position + 4
        elif length == 127:
            if size - position < 10:
                break
            length = int.from_bytes(buffer[position + 2 : position + 10], "big")
            start = position + 10
        if size < start + length:
            break
        frames.append((buffer[position] & 0x0F, bytes(buffer[start : start + length])))
        position = start + length
    del buffer[:position]
    return frames


class ServerClosed(ConnectionError):
    """The server closed the WebSocket, and said why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code}: {reason}")
        self.code = code
        self.reason = reason


class RawClient:
    """One connection. Blocking; every wait has a timeout."""

    def __init__(self, host: str, port: int, path: str, *, timeout_s: float = 30.0) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._events: list[dict[str, object]] = []
        self._closed: ServerClosed | None = None
        self.socket.sendall(upgrade_request(path, f"{host}:{port}"))
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(head.decode("latin-1"))
        self._buffer = bytearray(rest)

    def send(self, kind: str, **payload: object) -> None:
        """Send one event."""
        self.socket.sendall(encode_text(json.dumps({"type": kind, "payload": payload}).encode()))

    def next(self) -> dict[str, object]:
        """The next event.

        Raises:
            ServerClosed: there is none, and a close frame after the last one.
            ConnectionError: the connection ended without one.
        """
        while not self._events:
            if self._closed is not None:
                raise self._closed
            frames = split_frames(self._buffer)
            for opcode, data in frames:
                if opcode == 1:
                    self._events.append(json.loads(data))
                elif opcode == 8:
                    self._closed = ServerClosed(int.from_bytes(data[:2], "big"), data[2:].decode())
            if not frames:
                self._read()
        return self._events.pop(0)

    def next_of(self, kind: str) -> dict[str, object]:
        """The next event of a type."""
        while (event := self.next())["type"] != kind:
            pass
        return event

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data


def board_path(board_id: str, **query: str) -> str:
    """Where a board's socket is."""
    return f"/ws/boards/{board_id}?{urlencode(query)}"
