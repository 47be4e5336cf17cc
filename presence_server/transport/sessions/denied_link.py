"""Somebody who was let in no further than to be told why not."""

from __future__ import annotations

from collections.abc import Callable

from ...protocol.frames import text_frame
from ...protocol.messages import Error, ErrorPayload, encode
from ..wire.connection import Connection
from .identity import AccessDenied


class DeniedLink:
    """What is on a connection whose client may not be there: an error, and a close code.

    A WebSocket client of a browser never sees the status of a refused handshake, so
    protocol section 1 has the upgrade accepted first.

    Args:
        connection_id: a number never used before.
        denied: why.
        on_gone: called once when the socket is closed.
    """

    __slots__ = ("__weakref__", "_close_code", "_frame", "_on_gone", "connection", "connection_id")

    def __init__(
        self, connection_id: int, denied: AccessDenied, on_gone: Callable[[DeniedLink], None]
    ) -> None:
        self.connection_id = connection_id
        # Not the exception itself: its traceback refers to all that was made with this.
        self._frame = text_frame(encode(Error(ErrorPayload(denied.code, str(denied)))))
        self._close_code = denied.close_code
        self._on_gone = on_gone
        self.connection: Connection

    def attach(self, connection: Connection) -> None:
        """The connection it is on."""
        self.connection = connection

    def start(self) -> None:
        """Say why, and close."""
        self.connection.write(self._frame)
        self.connection.close(self._close_code)

    def let_go(self, code: int, reason: str) -> None:
        """It is closing already."""

    def crash(self, error: Exception) -> None:
        """A bug came up: let go of the peer, and of nobody else."""
        self.connection.crash(error)

    def on_text(self, data: bytes) -> None:
        """See :class:`.ports.Handler`; nothing said after the close is listened to."""

    def on_binary(self, data: bytes) -> None:
        """See :class:`.ports.Handler`."""

    def on_control(self) -> bool:
        """See :class:`.ports.Handler`."""
        return False

    def on_fragment(self) -> None:
        """See :class:`.ports.Handler`."""

    def on_passed_over(self, frames: int) -> None:
        """See :class:`.ports.Handler`."""

    def on_end(self, code: int | None) -> None:
        """See :class:`.ports.Handler`."""

    def on_gone(self) -> None:
        """See :class:`.ports.Handler`."""
        self._on_gone(self)
        del self.connection  # Which refers to this: a cycle.
