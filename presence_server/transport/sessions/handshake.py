"""The request of a client that asks for a board's WebSocket."""

from __future__ import annotations

import enum
import hashlib
import re

import msgspec
from websockets.server import ServerProtocol

from ...protocol.profile import MAX_AVATAR_URL, MAX_DISPLAY_NAME, MAX_USER_ID
from ..http.head import MAX_HEAD_BYTES, RequestHead

_MAX_QUERY_FIELDS = 64

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
"""A percent sign that begins no escape."""
_MAX_BROKEN = 64
"""So many of them are mended; a value with more is no form of a text, and stays as it is."""
_ESCAPED = 12
"""How long a character may be in a query: four bytes of UTF-8, each of them escaped."""
_LONGEST_VALUES = {
    "user_id": MAX_USER_ID * _ESCAPED,
    "display_name": MAX_DISPLAY_NAME * _ESCAPED,
    "avatar_url": MAX_AVATAR_URL * 3,
    "color": 32,
    "session_id": 256,
    "token": MAX_HEAD_BYTES,
    "watch": 1,
}
"""The parameters that the server knows, and the length of a value that is worth decoding."""


class Dialect(enum.Enum):
    """The messages that a client understands, by its path."""

    TEXT = "text"
    """Text, and binary messages of y-protocols beside it."""
    YJS = "yjs"
    """Binary messages of y-protocols: a client of y-websocket."""
    HOCUSPOCUS = "hocuspocus"
    """Binary messages of Hocuspocus, the first of which names the board."""


class Handshake(msgspec.Struct, frozen=True):
    """The facts of an upgrade request.

    Attributes:
        board_id: the board in its path, or in the first message; empty before that came.
        head: method, target and headers.
        query: the parameters of its target; an absent one has no key.
        dialect: what the client understands.
        address: the bytes in front of each message of a client of Hocuspocus.
        token: the token in the first message; None if there is none.
    """

    board_id: str
    head: RequestHead
    query: dict[str, str]
    dialect: Dialect = Dialect.TEXT
    address: bytes = b""
    token: str | None = None

    @property
    def resume(self) -> str | None:
        """The id of the session that the client wants to resume; None for a new one."""
        return self.query.get("session_id")


class Accepted(msgspec.Struct, frozen=True):
    """A handshake that the server accepts.

    Attributes:
        protocol: in the open state; it has not read ``rest`` yet.
        handshake: the client's request.
        response: the 101 response, to be sent before anything else; empty if it was sent.
        rest: bytes that the client sent after its request head.
    """

    protocol: ServerProtocol
    handshake: Handshake
    response: bytes
    rest: bytes


def read_query(target: str) -> dict[str, str]:
    """Read the parameters that the server knows from the query of a request target.

    The work is bounded by the length of a value before it is decoded. A display name that is
    too long is cut, a user id that is too long keeps its beginning and a digest of the whole,
    and any other value that is too long is left out. Broken percent-escapes and bytes that
    are not UTF-8 become what ``urllib`` makes of them; the profile rules clean the result.
    A value with more than 64 broken escapes is not decoded.

    Args:
        target: a path with or without a query.

    Returns:
        The first value of each name; empty if there are more than 64 fields.
    """
    query = target.partition("?")[2].partition("#")[0]
    if query.count("&") >= _MAX_QUERY_FIELDS:
        return {}
    found: dict[str, str] = {}
    for field in query.split("&"):
        name, _, raw = field.partition("=")
        longest = _LONGEST_VALUES.get(name)
        if longest is None or name in found:
            continue
        if len(raw) <= longest:
            found[name] = _decode(raw)
        elif name == "display_name":
            found[name] = _decode_beginning(raw, MAX_DISPLAY_NAME)
        elif name == "user_id":
            digest = hashlib.sha256(raw.encode()).hexdigest()
            found[name] = _decode_beginning(raw, MAX_USER_ID) + digest
    return found


def _decode(raw: str) -> str:
    """Decode ASCII as a query (``application/x-www-form-urlencoded``)."""
    text = raw.replace("+", " ")
    if "%" not in text:
        return text
    # `urllib` looks at each escape by itself, and so would an expression: four milliseconds for
    # a long token. Python's own escapes are decoded in one go.
    escaped = text.replace("\\", "\\\\")
    data = _unescape(escaped)
    if data is None:
        data = _unescape(_BROKEN.sub("%25", escaped, count=_MAX_BROKEN))
    return text if data is None else data.decode(errors="replace")


def _unescape(text: str) -> bytes | None:
    """Decode percent-escapes; None if one is broken. A backslash in the text is doubled."""
    try:
        return text.replace("%", "\\x").encode().decode("unicode_escape").encode("latin-1")
    except UnicodeDecodeError:
        return None


def _decode_beginning(raw: str, characters: int) -> str:
    """Decode the first characters of a value that is too long, and not much more than those."""
    text = ""
    for bytes_each in (1, 2, 4):
        cut = raw[: characters * bytes_each * 3]
        broken = cut.rfind("%", len(cut) - 2)
        text = _decode(cut if broken < 0 else cut[:broken]).rstrip("\ufffd")
        if len(text) >= characters:
            break
    return text[:characters]
