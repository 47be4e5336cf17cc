"""Which requests become WebSocket connections, and to which board."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec
from websockets.http11 import Request
from websockets.server import ServerProtocol

from ..core.profile import is_board_id
from .connection import server_protocol
from .head import RequestHead
from .identity import Handshake, origin_is_allowed, read_query
from .refusal import Refusal

_PREFIX = "/ws/"
_BOARDS = "/ws/boards/"


class Plain(msgspec.Struct, frozen=True):
    """A request for the web application, as far as it was read."""

    data: bytes


class Accepted(msgspec.Struct, frozen=True):
    """A handshake that was accepted.

    Attributes:
        protocol: has not seen ``rest`` yet.
        handshake: what the client said.
        response: the 101, to be sent first.
        rest: what came behind the head.
    """

    protocol: ServerProtocol
    handshake: Handshake
    response: bytes
    rest: bytes


def is_plain(head: RequestHead) -> bool:
    """Whether the request is for the web application.

    Raises:
        Refusal: it asks for a WebSocket or another protocol where there is none (404),
            or for a board's socket without an upgrade (426).
    """
    is_socket_path = head.target.startswith(_PREFIX)
    # Hypercorn changes to HTTP/2 for an Upgrade header alone, without a Connection.
    if head.upgrade is None and head.get("upgrade") is None:
        if is_socket_path:
            raise Refusal(
                HTTPStatus.UPGRADE_REQUIRED, "UPGRADE_REQUIRED", "this is a WebSocket endpoint"
            )
        return True
    if head.upgrade != "websocket" or not is_socket_path:
        raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "no such upgrade here")
    return False


def read_handshake(head: RequestHead, allowed_origins: frozenset[str]) -> Handshake:
    """The board and the identity that an upgrade asks for.

    Raises:
        Refusal: bad board id (400), foreign origin (403), no such endpoint (404).
    """
    path = urlsplit(head.target).path
    if not path.startswith(_BOARDS):
        raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "no such endpoint")
    # Latin-1 maps every byte to one character, and none above ASCII is in an id.
    board_id = unquote_to_bytes(path.removeprefix(_BOARDS)).decode("latin-1")
    if not is_board_id(board_id):
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            "INVALID_BOARD_ID",
            "a board id is 1 to 128 characters of A-Z a-z 0-9 _ - . : ~",
        )
    if not origin_is_allowed(head, allowed_origins):
        raise Refusal(HTTPStatus.FORBIDDEN, "FORBIDDEN", "this origin may not connect")
    return Handshake(board_id, head, read_query(head.target))


def accept(
    head_bytes: bytes, handshake: Handshake, max_message_bytes: int, rest: bytes = b""
) -> Accepted:
    """Do the WebSocket handshake of :rfc:`6455` section 4.2.

    Raises:
        Refusal: the handshake is malformed (400 or 405).
    """
    protocol = server_protocol(max_message_bytes)
    # Exactly the head: what follows it must not be read before the 101 is out.
    protocol.receive_data(head_bytes)
    request = next((e for e in protocol.events_received() if isinstance(e, Request)), None)
    if request is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "malformed WebSocket handshake")
    response = protocol.accept(request)
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        raise Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "malformed WebSocket handshake")
    protocol.send_response(response)
    return Accepted(protocol, handshake, b"".join(protocol.data_to_send()), rest)
