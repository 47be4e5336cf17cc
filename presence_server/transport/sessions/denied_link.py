"""A connection that is accepted only to send an error and close."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from ...core.yjs import hocuspocus, wire
from ...protocol.errors import retry_reason
from ...protocol.frames import binary_frame, text_frame
from ...protocol.messages import Error, ErrorPayload, encode
from ..wire.connection import Connection
from ..wire.ports import Handler
from .handshake import Dialect
from .identity import AccessDenied
from .yjs_closes import close_code_of_yjs


class DeniedLink(Handler):
    """Sends an error and a close frame to a client that may not connect.

    A page never sees the HTTP status of a refused handshake, so the upgrade is accepted
    first (specification, section 1).

    Args:
        connection_id: a number never used before.
        denied: the reason.
        on_gone: called once, when the connection is closed.
        dialect: what the client understands.
        address: the bytes in front of each message of a client of Hocuspocus.
    """

    __slots__ = (
        "__weakref__",
        "_close_code",
        "_frame",
        "_on_gone",
        "_reason",
        "connection",
        "connection_id",
    )

    def __init__(
        self,
        connection_id: int,
        denied: AccessDenied,
        on_gone: Callable[[DeniedLink], None],
        dialect: Dialect = Dialect.TEXT,
        address: bytes = b"",
    ) -> None:
        self.connection_id = connection_id
        # Not the exception: its traceback refers to everything that was made with this link.
        code, reason = int(denied.close_code), ""
        if denied.retry_after_ms is not None:
            reason = retry_reason(denied.retry_after_ms)
        if dialect is Dialect.TEXT:
            error = Error(ErrorPayload(denied.code, str(denied), denied.retry_after_ms))
            self._frame = text_frame(encode(error))
        else:
            message = wire.permission_denied(str(denied))
            if dialect is Dialect.HOCUSPOCUS:
                message = address + hocuspocus.permission_denied(str(denied))
            self._frame = binary_frame(message)
            code, reason = close_code_of_yjs(code, reason)
        self._close_code, self._reason = code, reason
        self._on_gone = on_gone
        self.connection: Connection

    def attach(self, connection: Connection) -> None:
        """Take the connection that it is on."""
        self.connection = connection

    def start(self) -> None:
        """Send the error and close."""
        self.connection.write(self._frame)
        self.connection.close(self._close_code, self._reason)

    def let_go(self, code: int, reason: str) -> None:
        """Do nothing: the connection is closing already."""

    def crash(self, error: Exception) -> None:
        """Close this connection, and no other, after a bug."""
        self.connection.crash(error)

    @override
    def on_text(self, data: bytes) -> None:
        pass  # Nothing that comes after the close counts.

    @override
    def on_binary(self, data: bytes) -> None:
        pass

    @override
    def on_control(self) -> bool:
        return False

    @override
    def on_fragment(self) -> None:
        pass

    @override
    def on_binary_fragment(self) -> None:
        pass

    @override
    def on_passed_over(self, frames: int) -> None:
        pass

    @override
    def on_end(self, code: int | None) -> None:
        pass

    @override
    def on_gone(self) -> None:
        self._on_gone(self)
        del self.connection  # It refers to this link.
