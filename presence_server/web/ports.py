"""The interface that the web application needs of the server; `server/web_view.py` has it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from ..protocol.avatar_hosts import AvatarHosts
from ..protocol.errors import PresenceError
from ..protocol.model import HistoryEntry
from ..refusals import RefusalReason


class Unavailable(PresenceError):
    """The store, or a process of the server, does not answer now; the request gets 503."""


class Access(enum.Enum):
    """Whether a client may read a board, as the HTTP status of the answer."""

    ALLOWED = 200
    UNAUTHORIZED = 401
    FORBIDDEN = 403


class PresenceView(Struct, frozen=True):
    """A board for ``/presence``; ``users_json`` is the encoded array of user objects."""

    users_json: bytes
    count: int
    capacity: int
    queue_length: int


class BoardSummary(Struct, frozen=True):
    """A live board: its users, how many of them are connected, and how many wait."""

    board_id: str
    count: int
    connected: int
    queue_length: int


class Readiness(Struct, frozen=True):
    """The answer of ``/readyz``."""

    status: Literal["ready", "degraded", "starting", "waiting", "draining"]
    database: Literal["ok", "down"]
    cache: Literal["ok", "down"]


class WebPorts(Protocol):
    """The server from the point of view of the web application."""

    @property
    def admin_token(self) -> str | None:
        """The bearer token of the admin routes; None: there are no admin routes."""

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins of other sites whose pages may read the API; ``*`` stands for all."""

    @property
    def avatar_hosts(self) -> AvatarHosts:
        """The hosts that avatars may come from."""

    def authorize(self, board_id: str, token: str | None) -> Access:
        """Whether the bearer of ``token`` (a JWT, or None) may read a board."""

    async def presence(self, board_id: str) -> PresenceView:
        """The users of a board; none if it is not live."""

    async def boards(self) -> Sequence[BoardSummary]:
        """The boards that are live now.

        Raises:
            Unavailable: a part of the server does not answer.
        """

    async def history(
        self, board_id: str, since_ms: int | None, limit: int
    ) -> Sequence[HistoryEntry]:
        """Sessions of a board that were open at ``since_ms`` or later, newest first.

        Raises:
            Unavailable: the store does not answer.
        """

    async def document(self, board_id: str) -> bytes | None:
        """The Yjs document of a board as one update; None if it has none.

        Raises:
            Unavailable: the store does not answer.
        """

    async def delete_document(self, board_id: str) -> bool:
        """Delete the Yjs document of a board; False if it has none.

        Raises:
            Unavailable: the store does not answer.
        """

    async def kick(self, board_id: str, user_id: str) -> bool:
        """Remove a user from a board; False if the user is not there."""

    def refused(self, reason: RefusalReason) -> None:
        """Count a request that was refused."""

    async def ready(self) -> Readiness:
        """Whether the server accepts connections, and whether its stores answer."""

    async def metrics_text(self) -> bytes:
        """The numbers of the server in the Prometheus text format."""
