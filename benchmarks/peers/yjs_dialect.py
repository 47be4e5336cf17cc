"""How a client that speaks Yjs speaks to each kind of server."""

from __future__ import annotations

from urllib.parse import urlencode

from typing_extensions import override

from benchmarks.peers.dialect import Dialect
from benchmarks.rawclient import encode_binary
from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import encode_entries, encode_entry
from presence_server.core.yjs.varint import write_bytes, write_text, write_uint
from presence_server.core.yjs.vector import EMPTY_VECTOR

MARKER = b"~yjs~"
"""Is in every typed text, once, and in nothing else that is on the wire. Some servers merge
changes, so frames cannot be counted. Like every update that only inserts, a frame with typed text
ends in a byte of zero, the number of clients whose items it deletes."""
_FIRST_CLIENT = 4_000_000_000
"""Client ids that take as many bytes as most of those that Yjs draws."""
_AUTH = b"\2\0\0"
"""The message of Hocuspocus with an empty token."""


class YjsDialect(Dialect, frozen=True):
    """The socket of y-websocket, of this server and of others."""

    @override
    def path(self, board: str, user: str) -> str:
        return f"/yjs/{board}?{urlencode({'user_id': user})}"

    @override
    def hello(self) -> bytes:
        return self.message(wire.step_1(EMPTY_VECTOR))

    @override
    def ready(self) -> bytes:
        return b"\1\2\0\0"

    @override
    def frame_end(self) -> int:
        return 0

    @override
    def marker(self) -> bytes:
        return MARKER

    def message(self, message: bytes) -> bytes:
        """A frame with one message of y-protocols.

        Args:
            message: the message.
        """
        return encode_binary(message)

    def typed(self, user: str, clock: int) -> bytes:
        """A change: a user types a marker after what the user typed before.

        Args:
            user: the user, ``u`` and a number.
            clock: how many characters the user has typed.
        """
        client = write_uint(client_of(user))
        where = b"\x84" + client + write_uint(clock - 1) if clock else b"\x04\1" + write_text("t")
        update = b"\1\1" + client + write_uint(clock) + where + write_bytes(MARKER) + b"\0"
        return self.message(wire.change(update))

    def pointed(self, user: str, clock: int, x: str) -> bytes:
        """A message of awareness: a user moves a cursor.

        Args:
            user: the user, ``u`` and a number.
            clock: how often the user has moved it.
            x: where to, as JSON.
        """
        state = b'{"user":{"name":"%b","color":"#0e7490"},"cursor":{"x":%b,"y":0.5}}'
        entry = encode_entry(client_of(user), clock, state % (user.encode(), x.encode()))
        return self.message(wire.awareness(encode_entries([entry])))


class HocuspocusDialect(YjsDialect, frozen=True):
    """The same with the name of the document in front of each message."""

    name: str = "board-0"

    @override
    def path(self, board: str, user: str) -> str:
        return f"/?user={user}"

    @override
    def hello(self) -> bytes:
        return self.message(_AUTH) + super().hello()

    @override
    def message(self, message: bytes) -> bytes:
        return encode_binary(write_text(self.name) + message)


def client_of(user: str) -> int:
    """The client id of a user; Yjs knows its clients by numbers.

    Args:
        user: the user, ``u`` and a number.
    """
    return _FIRST_CLIENT + int(user[1:])
