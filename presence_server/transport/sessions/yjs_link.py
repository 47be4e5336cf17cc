"""The session of a client of y-websocket: binary messages, and never a text message."""

from __future__ import annotations

from typing_extensions import override

from ...core.yjs import wire
from ...protocol.frames import binary_frame
from ...protocol.messages import Error, ServerMessage
from .binary_link import BinaryLink
from .yjs_closes import close_code_of_yjs


class YjsLink(BinaryLink):
    """Ties a connection of y-websocket to a session of a room."""

    __slots__ = ()

    speaks_text = False
    """It gets binary messages only."""

    @override
    def close(self, code: int, reason: str = "") -> None:
        super().close(*close_code_of_yjs(code, reason))

    @override
    def on_text(self, data: bytes) -> None:
        self.refuse_binary("a text message")

    @override
    def tell_binary(self, message: ServerMessage) -> None:
        if isinstance(message, Error):
            self.write(binary_frame(wire.permission_denied(message.payload.message)))
