"""A connection whose board is named in its first message, as clients of Hocuspocus do.

Its upgrade is accepted first. Until its first message is here, the server keeps nothing of it but
its socket and its request head, for ``limits.handshake_timeout_s`` at most. Then its board is
known, and with it the process that serves it.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from typing_extensions import override

from ...core.yjs.hocuspocus import permission_denied, read_first
from ...core.yjs.varint import DamagedBytes
from ...protocol.errors import CloseCode, retry_reason
from ...protocol.frames import (
    CLOSE,
    FINAL_BINARY,
    PING,
    PONG,
    binary_frame,
    close_frame,
    is_masked,
    next_frame,
)
from ...protocol.profile import is_board_id
from ..http.head import BadRequest
from ..http.refusal import RETRY_S, Refusal, bad_request
from ..sessions.handshake import Accepted
from ..wire.receiving import unmask
from .upgrade import bad_board_id

MAX_FIRST_BYTES = 65_536
"""Bytes up to the end of the first message; a token has at most 16 384 characters."""
MAX_FIRST_FRAMES = 64
"""Frames up to that end. Thousands of pings cost milliseconds, and no client sends any here."""

_BINARY, _MORE, _LAST = 0x02, 0x00, 0x80
"""The first byte of a binary message in fragments, of a further fragment, and of the last one."""


class FirstMessageReader:
    """Gathers the first message of one connection from the frames of its client.

    Pings before it are answered after it, by the connection that reads all bytes again.
    """

    __slots__ = ("_data", "_frames", "_message", "_position")

    def __init__(self) -> None:
        self._data = bytearray()
        self._frames = 0
        self._position = 0
        """Where the first frame begins that is not complete."""
        self._message: bytearray | None = None
        """The fragments of the message so far."""

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes.

        Args:
            data: the bytes; none mean the end of the stream.

        Returns:
            The first message, and every byte so far; None while the message is incomplete.

        Raises:
            BadRequest: the bytes are not a binary message, or are too many.
            EOFError: the client closes the connection.
        """
        if not data:
            raise EOFError
        self._data += data
        while (frame := next_frame(self._data, self._position)) is not None:
            first, start, end = frame
            if end > MAX_FIRST_BYTES:
                raise BadRequest("the first message is too long")
            if not is_masked(self._data, self._position):
                raise BadRequest("a frame of a client has no mask")
            if end > len(self._data):
                break
            payload = unmask(bytes(self._data[start:end]), bytes(self._data[start - 4 : start]))
            self._position = end
            self._frames += 1
            if self._frames > MAX_FIRST_FRAMES:
                raise BadRequest("the first message comes after too many frames")
            message = self._take(first, payload)
            if message is not None:
                return message, bytes(self._data)
        if len(self._data) > MAX_FIRST_BYTES:
            raise BadRequest("the first message is too long")
        return None

    def _take(self, first: int, payload: bytes) -> bytes | None:
        """Take a frame; return the message if it is complete with it."""
        if first in (PING, PONG):
            return None
        if first == CLOSE:
            raise EOFError
        if self._message is None and first == FINAL_BINARY:
            return payload
        if self._message is None and first == _BINARY:
            self._message = bytearray(payload)
            return None
        if self._message is not None and first in (_MORE, _LAST):
            self._message += payload
            return bytes(self._message) if first == _LAST else None
        raise BadRequest("the first message is not a binary one")


class ClosingRefusal(Refusal):
    """A refusal after the upgrade: a close frame, and permission denied before it.

    Args:
        refusal: the refusal.
        address: of the document that is refused; without one nothing comes before the close.
    """

    def __init__(self, refusal: Refusal, address: bytes = b"") -> None:
        super().__init__(refusal.status, refusal.code, refusal.message, refusal.headers)
        self._address = address

    @override
    def response(self) -> bytes:
        frames = b""
        if self._address:
            frames = binary_frame(self._address + permission_denied(self.message))
        if self.code == "DRAINING":
            return frames + close_frame(CloseCode.SERVER_RESTART, retry_reason(RETRY_S * 1000))
        is_wrong = self.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN)
        code = CloseCode.PROTOCOL_VIOLATIONS if is_wrong else CloseCode.BOARD_FULL
        return frames + close_frame(code, self.message)


def after_upgrade(refusal: Refusal) -> Refusal:
    """The refusal in the form that a client understands whose upgrade was accepted."""
    return refusal if isinstance(refusal, ClosingRefusal) else ClosingRefusal(refusal)


def no_message() -> Refusal:
    """The first message did not come in time."""
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "no first message came in time")


def name_board(accepted: Accepted, message: bytes, data: bytes) -> Accepted:
    """Complete a handshake by the first message.

    Args:
        accepted: the handshake; its response was sent.
        message: the first message.
        data: every byte that came after the request head.

    Returns:
        The handshake, with its board.

    Raises:
        Refusal: the message names no board that can exist.
    """
    try:
        first = read_first(message)
    except DamagedBytes as error:
        raise ClosingRefusal(bad_request(error)) from None
    if not is_board_id(first.board_id):
        raise ClosingRefusal(bad_board_id(), first.address)
    handshake = msgspec.structs.replace(
        accepted.handshake, board_id=first.board_id, address=first.address, token=first.token
    )
    return msgspec.structs.replace(accepted, handshake=handshake, response=b"", rest=data)
