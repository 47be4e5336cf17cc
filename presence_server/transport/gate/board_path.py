"""The board that a request names, read from its first line alone.

The process that accepts a connection looks only here, and only to find the process that serves
the board. That process reads the whole head strictly and decides. So this reader may be lenient:
a request that it takes for one of a board is refused there if it is none.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from ...protocol.profile import is_board_id

SOCKET_PATHS = (b"/ws/boards/", b"/yjs/")
"""What comes before the board in the path of a socket; such a path ends with the board."""

_API = b"/api/boards/"
_ABSOLUTE = re.compile(rb"(?i:https?)://[^/?]*")
"""The beginning of a target with a host, as a client of a proxy sends it."""
_END_OF_PATH = re.compile(rb"[?#]")


def board_of(head: bytes) -> str | None:
    """Find the board of a request.

    Args:
        head: the request head.

    Returns:
        The board, decoded; None if the request names no board, or none that can exist.
    """
    begin = head.find(b" ") + 1
    end = head.find(b" ", begin)
    if not begin or end < 0:
        return None
    target = head[begin:end]
    if not target.startswith(b"/"):
        absolute = _ABSOLUTE.match(target)
        if absolute is None:
            return None
        target = target[absolute.end() :]
    for path in SOCKET_PATHS:
        if target.startswith(path):
            return _board(_decoded(_END_OF_PATH.split(target[len(path) :], 1)[0]))
    # The web application decodes the whole path before it looks for a route.
    path = _decoded(target.partition(b"?")[0])
    if path.startswith(_API):
        return _board(path[len(_API) :].partition(b"/")[0])
    return None


def _decoded(path: bytes) -> bytes:
    return unquote_to_bytes(path) if b"%" in path else path


def _board(raw: bytes) -> str | None:
    # Latin-1 makes one character of every byte, and an id has ASCII characters only.
    board_id = raw.decode("latin-1")
    return board_id if is_board_id(board_id) else None
