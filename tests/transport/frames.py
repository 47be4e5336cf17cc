"""WebSocket bytes as a client makes and reads them."""

from __future__ import annotations

import json
from typing import NamedTuple

from websockets.frames import Close, Frame, Opcode

from presence_server.transport.wire.receiving import unmask

HEAD = (
    b"GET /ws/boards/demo HTTP/1.1\r\n"
    b"Host: test\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)


MASK = b"\x37\xfa\x21\x3d"


class Seen(NamedTuple):
    """One whole frame from the server."""

    opcode: Opcode
    data: bytes

    @property
    def event(self) -> dict[str, object]:
        """What a text frame says: its payload, and its type under "type"."""
        message = json.loads(self.data)
        return {"type": message["type"], **message["payload"]}

    @property
    def close(self) -> Close:
        """What a close frame says."""
        assert self.opcode is Opcode.CLOSE
        return Close.parse(self.data)


def upgrade_request(target: str = "/ws/boards/demo", **headers: str) -> bytes:
    """The request head of a WebSocket client; ``some_name`` adds a header Some-Name."""
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = HEAD.replace(b"/ws/boards/demo", target.encode("latin-1"))
    return head[:-2] + extra.encode("latin-1") + b"\r\n"


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """One frame of a client, masked: always alike, so that a test's name is, too."""
    unmasked = Frame(opcode, data, fin).serialize(mask=False)
    start = len(unmasked) - len(data)
    header = bytes((unmasked[0], unmasked[1] | 0x80)) + unmasked[2:start]
    return header + MASK + unmask(data, MASK)


def text(data: str | bytes, *, fin: bool = True) -> bytes:
    """A text frame of a client."""
    return frame(Opcode.TEXT, data.encode() if isinstance(data, str) else data, fin=fin)


def event(kind: str, **payload: object) -> bytes:
    """The text frame of one event."""
    return text(json.dumps({"type": kind, "payload": payload}))


def close(code: int | None = 1000, reason: str = "") -> bytes:
    """A close frame of a client; without a code it is empty."""
    return frame(Opcode.CLOSE, b"" if code is None else Close(code, reason).serialize())


def split_frames(data: bytes) -> tuple[list[Seen], bytes]:
    """The whole frames a server sent, and the rest that is not whole yet."""
    seen = []
    while (size := frame_size(data)) is not None and size <= len(data):
        assert data[0] & 0x80, "the server sends no fragments"
        length = data[1] & 0x7F
        header = {126: 4, 127: 10}.get(length, 2)
        seen.append(Seen(Opcode(data[0] & 0x0F), data[header:size]))
        data = data[size:]
    return seen, data


def read_frames(data: bytes) -> list[Seen]:
    """The frames a server sent, all of them whole."""
    seen, rest = split_frames(data)
    assert rest == b"", "a frame was cut"
    return seen


def frame_size(data: bytes) -> int | None:
    """The size of the frame that begins here; None while that is not known."""
    if len(data) < 2:
        return None
    length = data[1] & 0x7F
    if length == 126:
        return 4 + int.from_bytes(data[2:4], "big") if len(data) >= 4 else None
    if length == 127:
        return 10 + int.from_bytes(data[2:10], "big") if len(data) >= 10 else None
    return 2 + length
