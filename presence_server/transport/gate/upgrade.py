"""Which requests become WebSocket connections, and of which board."""

from __future__ import annotations

import base64
import logging
import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import msgspec
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from ...protocol.profile import is_board_id
from ..http.head import RequestHead
from ..http.refusal import Refusal
from ..sessions.handshake import Accepted, Dialect, Handshake, read_query
from ..sessions.identity import origin_is_allowed

SUBPROTOCOL = "presence.v1"
_MAX_SUBPROTOCOLS = 64
"""Thousands of names cost a millisecond; clients offer one or two."""
_VERSION = "13"
_PREFIX = "/ws/"
_BOARDS = "/ws/boards/"
_YJS = "/yjs/"
_HOCUSPOCUS = "/hocuspocus"
"""The whole path: its clients name the board in their first message."""
_END_OF_PATH = re.compile("[?#]")
_LONGEST_PATH = len(_BOARDS) + 3 * 128
"""The path of a board id of 128 characters, each of them escaped."""

_silent = logging.getLogger("presence_server.websockets")
# The library would log headers and payloads, and with them tokens.
_silent.disabled = True


class Plain(msgspec.Struct, frozen=True):
    """A request for the web application.

    Attributes:
        data: the bytes of the request that were read, without any that came after it.
        body_left: how many bytes of the request are still to come.
    """

    data: bytes
    body_left: int


def plain(head: RequestHead, head_bytes: bytes, rest: bytes) -> Plain:
    """Make the request for the web application, without the bytes that came after it.

    Args:
        head: the request.
        head_bytes: the same request as it came.
        rest: bytes that came after the head: its body, and what followed.
    """
    length = int(head.get("content-length") or 0)
    body = rest[:length]
    data = head.encode() if head.is_changed else head_bytes
    return Plain(data + body, length - len(body))


def is_plain(head: RequestHead, *, has_yjs: bool = False) -> bool:
    """Whether the request is for the web application.

    Args:
        head: the request.
        has_yjs: whether there are sockets for clients of y-websocket and Hocuspocus.

    Raises:
        Refusal: it asks for a WebSocket or another protocol where there is none (404),
            or for a board's socket without an upgrade (426), or its body has no length
            (411): the end of a body must be known before it is read.
    """
    is_socket_path = head.target.startswith(_PREFIX)
    if has_yjs and not is_socket_path:
        is_socket_path = head.target.startswith((_YJS, _HOCUSPOCUS))
    has_upgrade = head.get("upgrade") is not None
    if is_socket_path and (not has_upgrade or head.version == "HTTP/1.0"):
        raise Refusal(
            HTTPStatus.UPGRADE_REQUIRED, "UPGRADE_REQUIRED", "this is a WebSocket endpoint"
        )
    # Hypercorn changes to HTTP/2 for an Upgrade header alone, without a Connection header.
    if not has_upgrade:
        if head.get("transfer-encoding") is not None:
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "LENGTH_REQUIRED", "no chunked bodies here")
        return True
    if head.upgrade != "websocket" or not is_socket_path:
        raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "no such upgrade here")
    return False


def read_handshake(
    head: RequestHead, allowed_origins: frozenset[str], *, has_yjs: bool = False
) -> Handshake:
    """Read the board and the identity from an upgrade request.

    Args:
        head: the request.
        allowed_origins: origins that pages may connect from, beside the host's own.
        has_yjs: whether there are sockets for clients of y-websocket and Hocuspocus.

    Raises:
        Refusal: the board id is not valid (400), the origin is not allowed (403), or there
            is no such endpoint (404).
    """
    path = _END_OF_PATH.split(head.target, maxsplit=1)[0]
    if has_yjs and path.rstrip("/") == _HOCUSPOCUS:
        _check_origin(head, allowed_origins)
        return Handshake("", head, read_query(head.target), Dialect.HOCUSPOCUS)
    prefix = _YJS if has_yjs and path.startswith(_YJS) else _BOARDS
    if not path.startswith(prefix):
        raise Refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "no such endpoint")
    if len(path) > _LONGEST_PATH:
        raise bad_board_id()
    # Latin-1 makes one character of every byte, and an id has ASCII characters only.
    board_id = unquote_to_bytes(path.removeprefix(prefix)).decode("latin-1")
    if not is_board_id(board_id):
        raise bad_board_id()
    _check_origin(head, allowed_origins)
    dialect = Dialect.TEXT if prefix == _BOARDS else Dialect.YJS
    return Handshake(board_id, head, read_query(head.target), dialect)


def _check_origin(head: RequestHead, allowed_origins: frozenset[str]) -> None:
    if not origin_is_allowed(head, allowed_origins):
        raise Refusal(HTTPStatus.FORBIDDEN, "FORBIDDEN", "this origin may not connect")


def bad_board_id() -> Refusal:
    """The name of the board is none that a board can have (400)."""
    return Refusal(
        HTTPStatus.BAD_REQUEST,
        "INVALID_BOARD_ID",
        "a board id is 1 to 128 characters of A-Z a-z 0-9 _ - . : ~",
    )


def accept(handshake: Handshake, max_message_bytes: int, rest: bytes = b"") -> Accepted:
    """Do the WebSocket handshake of :rfc:`6455` section 4.2.

    The library could do it, but it would read the head a second time, which was a sixth of
    the cost of a join.

    Args:
        handshake: the request.
        max_message_bytes: the largest message that the connection may receive.
        rest: bytes that came after the head.

    Raises:
        Refusal: the handshake is malformed (400).
    """
    head = handshake.head
    keys, versions = head.get_all("sec-websocket-key"), head.get_all("sec-websocket-version")
    if (
        head.method != "GET"
        or len(head.get_all("upgrade")) != 1
        or versions != [_VERSION]
        or len(keys) != 1
        or not _is_key(keys[0])
    ):
        raise Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "malformed WebSocket handshake")
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(keys[0])}",
    ]
    offered = ",".join(head.get_all("sec-websocket-protocol"))
    if offered.count(",") >= _MAX_SUBPROTOCOLS:
        raise Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "too many subprotocols")
    if SUBPROTOCOL in (name.strip() for name in offered.split(",")):
        lines.append(f"Sec-WebSocket-Protocol: {SUBPROTOCOL}")
    response = "\r\n".join([*lines, "", ""]).encode("ascii")
    return Accepted(_protocol(max_message_bytes), handshake, response, rest)


def _is_key(value: str) -> bool:
    """Whether the value is 16 bytes in base64."""
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except ValueError:
        return False


def _protocol(max_message_bytes: int) -> ServerProtocol:
    """The protocol of an open connection, without extensions and so without compression."""
    return ServerProtocol(state=State.OPEN, max_size=max_message_bytes, logger=_silent)
