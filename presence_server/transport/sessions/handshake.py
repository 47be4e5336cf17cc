"""The request of a client that asks for a board's WebSocket."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.server import ServerProtocol

from ..http.head import RequestHead

_MAX_QUERY_FIELDS = 64


class Handshake(msgspec.Struct, frozen=True):
    """The facts of an upgrade request.

    Attributes:
        board_id: the board in its path.
        head: method, target and headers.
        query: the parameters of its target; an absent one has no key.
    """

    board_id: str
    head: RequestHead
    query: dict[str, str]

    @property
    def resume(self) -> str | None:
        """The id of the session that the client wants to resume; None for a new one."""
        return self.query.get("session_id")


class Accepted(msgspec.Struct, frozen=True):
    """A handshake that the server accepts.

    Attributes:
        protocol: in the open state; it has not read ``rest`` yet.
        handshake: the client's request.
        response: the 101 response, to be sent before anything else.
        rest: bytes that the client sent after its request head.
    """

    protocol: ServerProtocol
    handshake: Handshake
    response: bytes
    rest: bytes


def read_query(target: str) -> dict[str, str]:
    """Read the query of a request target.

    Broken percent-escapes and bytes that are not UTF-8 become what ``urllib`` makes of
    them; the profile rules clean the result.

    Args:
        target: a path with or without a query.

    Returns:
        The first value of each name; empty if there are more than 64 fields.
    """
    try:
        fields = parse_qs(
            urlsplit(target).query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
