"""The incoming side of a connection: bytes become messages.

Nearly everything that a server receives is a short text message in one frame. Read here, or by
the connection itself, such a frame costs a quarter of the time that the library takes for it.
The library reads every other frame, so it decides about everything that is not as simple.
"""

from __future__ import annotations

from typing import Protocol

import trio
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from ...protocol.errors import CloseCode
from ...protocol.frames import (
    CLOSE,
    FINAL_BINARY,
    FINAL_TEXT,
    MEDIUM_HEADER,
    PING,
    SHORT_HEADER,
    next_frame,
    pong_frame,
    skip_droppable,
)
from .connection_limits import BinaryLimits
from .ports import Handler
from .stage import Stage
from .unfinished import PAUSE_S

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

unmask = apply_mask
"""The payload of a client's frame: ``unmask(data, mask)``, in C where that was built."""

_OPEN = Stage.OPEN
_OPCODE = 0x0F
"""The bits of the first byte that say what a frame is."""


class ReceivingConnection(Protocol):
    """The connection whose bytes a receiver reads."""

    stage: Stage

    def write(self, data: bytes) -> None:
        """Send whole frames."""

    def answer(self) -> None:
        """Write the protocol's answer to its input."""

    def fail(self, code: CloseCode) -> None:
        """Close after a violation."""

    def pause(self, seconds: float) -> None:
        """Read nothing more for so many seconds."""

    def on_pong(self) -> None:
        """A pong came."""

    def on_partial_message(self, since: float) -> None:
        """A part of a message came, at ``since`` in scheduling seconds."""


class Receiver:
    """Reads the bytes of one peer.

    Args:
        protocol: the open WebSocket protocol.
        handler: gets the messages.
        connection: the connection that the bytes belong to.
        binary: the bounds of binary messages; None if they are as those of text messages.
    """

    __slots__ = (
        "_binary",
        "_connection",
        "_fragments",
        "_fragments_opcode",
        "_handler",
        "_head",
        "_max_text_bytes",
        "_owed",
        "_protocol",
        "is_resting",
        "partial_bytes",
        "partial_since",
    )

    def __init__(
        self,
        protocol: ServerProtocol,
        handler: Handler,
        connection: ReceivingConnection,
        binary: BinaryLimits | None = None,
    ) -> None:
        self._protocol = protocol
        self._handler = handler
        self._connection = connection
        self._binary = binary
        self._max_text_bytes = protocol.max_message_size
        self._head = b""
        """The beginning of a frame whose length is not known yet."""
        self._owed = 0
        """How many bytes of a frame that the library reads have not come yet."""
        self._fragments: bytearray | None = None
        self._fragments_opcode = Opcode.TEXT
        self.partial_since: float | None = None
        """When the first byte of a message or frame came that is not complete; None without one."""
        self.partial_bytes = 0
        """About how much has come of it; 0 if binary messages have no bounds of their own."""
        self.is_resting = False
        """The peer sent more than it may: what was read already is skipped."""

    def receive(self, data: bytes) -> None:
        """Read bytes of an open connection.

        The connection itself reads one short text message that comes alone, between messages.

        Args:
            data: at least one byte.
        """
        self._read(data)
        if self._fragments is None and not (self._owed or self._head):
            self.partial_since = None
        elif self.partial_since is None:
            self.partial_since = trio.current_time()
            self._connection.on_partial_message(self.partial_since)
        if self._binary is not None:
            self._count(0 if self.partial_since is None else self.partial_bytes + len(data))

    def _count(self, partial_bytes: int) -> None:
        """Note how much has come of a message that is not complete."""
        assert self._binary is not None
        unfinished = self._binary.unfinished
        unfinished.total += partial_bytes - self.partial_bytes
        self.partial_bytes = partial_bytes
        if partial_bytes and unfinished.is_full:
            self._connection.pause(PAUSE_S)

    @property
    def must_wait(self) -> bool:
        """Whether the rest of a message may not come yet, since too much waits for its rest."""
        binary = self._binary
        return binary is not None and self.partial_bytes > 0 and binary.unfinished.is_full

    def forget(self) -> None:
        """The connection is gone, and with it the message that is not complete."""
        if self._binary is not None:
            self._count(0)

    def _read(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        position, size = min(self._owed, len(data)), len(data)
        if position:
            self._owed -= position
            self._feed(data[:position])
            if self._fragments is None and not self._owed:
                self.partial_since = None
        while position < size and self._connection.stage is _OPEN:
            if self.is_resting:
                position = self._skip(data, position)
            frame = next_frame(data, position)
            if frame is None:
                self._head = data[position:]
                return
            position = self._take(data, position, *frame)

    def _skip(self, data: bytes, position: int) -> int:
        # A change of a Yjs document that is dropped makes two documents of it.
        position, frames, pongs = skip_droppable(
            data, position, messages=self._fragments is None, binary=self._binary is None
        )
        self._handler.on_passed_over(frames)
        if pongs:
            self._connection.on_pong()
        return position

    def _take(self, data: bytes, position: int, first: int, start: int, end: int) -> int:
        """Read the frame at ``position``, part of which may not have come; return its end."""
        size = len(data)
        if self._fragments is None:
            self.partial_since = None  # The frames before this one are complete.
        is_short = start - position == SHORT_HEADER and end <= size
        if is_short and first == FINAL_TEXT and self._fragments is None:
            self._handler.on_text(unmask(data[start:end], data[start - 4 : start]))
        elif is_short and first == PING:
            # Read here, since the library would answer any number of them.
            if self._handler.on_control():
                self._connection.write(pong_frame(unmask(data[start:end], data[start - 4 : start])))
        elif self._takes_binary(data, position, first, start, end):
            pass
        else:
            if first == CLOSE:
                # RFC 6455 section 5.4 allows it between fragments; the library does not.
                self._protocol.current_size = None
            self._feed(data[position:end])
            self._owed = max(0, end - size)
        return end

    def _takes_binary(self, data: bytes, position: int, first: int, start: int, end: int) -> bool:
        """Read a binary message that is one frame and is here, or refuse one that is too long.

        Returns:
            Whether that is done; else the library reads the frame.
        """
        binary = self._binary
        if binary is None:
            return False
        if self._fragments is None:
            is_binary = first & _OPCODE == Opcode.BINARY
            self._protocol.max_message_size = (
                binary.max_bytes if is_binary else self._max_text_bytes
            )
            size = end - start
        else:
            is_binary = first & _OPCODE == Opcode.CONT and (self._fragments_opcode is Opcode.BINARY)
            size = len(self._fragments) + end - start
        if not is_binary:
            return False
        if size > binary.max_bytes:
            if binary.too_big_code is CloseCode.TOO_BIG:
                return False  # The library refuses it.
            self._connection.fail(binary.too_big_code)
            return True
        is_whole = first == FINAL_BINARY and self._fragments is None and end <= len(data)
        if not is_whole or start - position not in (SHORT_HEADER, MEDIUM_HEADER):
            return False
        self._handler.on_binary(unmask(data[start:end], data[start - 4 : start]))
        return True

    def _feed(self, data: bytes) -> None:
        """Have the library read a frame, or a part of one."""
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame):
                self._on_frame(frame)
        self._connection.answer()

    def _on_frame(self, frame: Frame) -> None:
        if self._connection.stage is not _OPEN:
            return  # An earlier frame of the same bytes ended the session.
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._on_message(opcode, bytes(frame.data))
            else:
                self._fragments = bytearray(frame.data)
                self._fragments_opcode = opcode
                self._note_fragment()
        elif opcode is Opcode.CONT:
            assert self._fragments is not None
            self._fragments += frame.data
            if frame.fin:
                message, self._fragments = bytes(self._fragments), None
                self._on_message(self._fragments_opcode, message)
            else:
                self._note_fragment()
        elif opcode is Opcode.PONG or opcode is Opcode.PING:
            if opcode is Opcode.PONG:
                self._connection.on_pong()
            self._handler.on_control()

    def _note_fragment(self) -> None:
        if self._binary is not None and self._fragments_opcode is Opcode.BINARY:
            self._handler.on_binary_fragment()
        else:
            self._handler.on_fragment()

    def _on_message(self, opcode: Opcode, data: bytes) -> None:
        self.partial_since = None
        if opcode is Opcode.TEXT:
            self._handler.on_text(data)
        else:
            self._handler.on_binary(data)
