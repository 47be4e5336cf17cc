"""How a client speaks to each kind of server: the same work in its words."""

from __future__ import annotations

from msgspec import Struct

from benchmarks.rawclient import board_path, encode_text

MARKER = b"presence:update"
"""Is in every delivery of an update, once."""
PROBE = b"7.1"
"""Begins the x of cursors that are followed, and nothing else that is on the wire."""

_PING = b"\x89\x80\0\0\0\0"


class Dialect(Struct, frozen=True):
    """Base: this server's own protocol."""

    def path(self, board: str, user: str) -> str:
        """Where the member connects."""
        return board_path(board, user_id=user)

    def hello(self) -> bytes:
        """What the client sends once the upgrade is through."""
        return b""

    def ready(self) -> bytes:
        """What shows that it is a member; empty: the upgrade does."""
        return b'"board:joined"'

    def frame_end(self) -> int:
        """The last byte of every frame that is counted."""
        return ord("}")

    def marker(self) -> bytes:
        """What is in every delivery of an update, once."""
        return MARKER

    def update(self, user: str, status: str) -> bytes:
        """A status update."""
        return encode_text(
            b'{"type":"presence:update","payload":{"status":"%b"}}' % status.encode()
        )

    def cursor(self, user: str, x: str) -> bytes:
        """A cursor move."""
        return encode_text(
            b'{"type":"presence:update","payload":{"cursor":{"x":%b,"y":0.5}}}' % x.encode()
        )

    def heartbeat(self) -> bytes:
        """A sign of life; empty: the server asks for them itself."""
        return encode_text(b'{"type":"heartbeat","payload":{}}')


class Relayed(Dialect, frozen=True):
    """A server that relays the text it gets: it gets what this server would have made of it."""

    def ready(self) -> bytes:
        """See the base."""
        return b""

    def update(self, user: str, status: str) -> bytes:
        """See the base."""
        return encode_text(_update_event(user, status))

    def cursor(self, user: str, x: str) -> bytes:
        """See the base."""
        return encode_text(_cursor_event(user, x))

    def heartbeat(self) -> bytes:
        """A ping: a text would be relayed to everybody."""
        return _PING


class SocketIo(Relayed, frozen=True):
    """Engine.IO 4 over WebSocket alone, Socket.IO on top."""

    def path(self, board: str, user: str) -> str:
        """See the base."""
        return f"/socket.io/?EIO=4&transport=websocket&board={board}&user={user}"

    def hello(self) -> bytes:
        """See the base."""
        return encode_text(b"40")

    def ready(self) -> bytes:
        """See the base."""
        return b"40{"

    def frame_end(self) -> int:
        """See the base."""
        return ord("]")

    def update(self, user: str, status: str) -> bytes:
        """See the base."""
        return encode_text(b'42["update",%b]' % _update_event(user, status))

    def cursor(self, user: str, x: str) -> bytes:
        """See the base."""
        return encode_text(b'42["update",%b]' % _cursor_event(user, x))

    def heartbeat(self) -> bytes:
        """See the base."""
        return b""


def _update_event(user: str, status: str) -> bytes:
    return (
        b'{"type":"presence:update","payload":{"user_id":"%b","status":"%b","connected":true,'
        b'"metadata":null,"timestamp":1750000000000}}' % (user.encode(), status.encode())
    )


def _cursor_event(user: str, x: str) -> bytes:
    return b'{"type":"presence:cursor","payload":{"user_id":"%b","x":%b,"y":0.5}}' % (
        user.encode(),
        x.encode(),
    )
