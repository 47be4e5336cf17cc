"""What the web needs of the server; implemented where the server is wired together."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from ..protocol.errors import PresenceError
from ..protocol.model import HistoryEntry


class Unavailable(PresenceError):
    """The store does not answer now. The request gets 503."""


class Access(enum.Enum):
    """Whether somebody may read a board."""

    ALLOWED = 200
    UNAUTHORIZED = 401
    FORBIDDEN = 403


class PresenceView(Struct, frozen=True):
    """A board as ``/presence`` shows it. ``users_json`` is the array of user objects."""

    users_json: bytes
    count: int
    capacity: int
    queue_length: int


class BoardSummary(Struct, frozen=True):
    """A live board: its users, how many of them are connected, and who waits."""

    board_id: str
    count: int
    connected: int
    queue_length: int


class Readiness(Struct, frozen=True):
    """What ``/readyz`` says."""

    status: Literal["ready", "degraded", "starting", "draining"]
    database: Literal["ok", "down"]
    cache: Literal["ok", "down"]


class WebPorts(Protocol):
    """The server, as the web sees it."""

    @property
    def admin_token(self) -> str | None:
        """The bearer token of the admin routes; None: there are no admin routes."""

    @property
    def allowed_origins(self) -> frozenset[str]:
        """Origins of other sites whose pages may read the API; ``*`` stands for all."""

    def authorize(self, board_id: str, token: str | None) -> Access:
        """Whether whoever shows ``token`` (a JWT, if anything) may read a board."""

    async def presence(self, board_id: str) -> PresenceView:
        """Who is on a board; nobody on one that is not live."""

    def boards(self) -> Sequence[BoardSummary]:
        """The boards that are live now."""

    async def history(
        self, board_id: str, since_ms: int | None, limit: int
    ) -> Sequence[HistoryEntry]:
        """Sessions of a board that were open at ``since_ms`` or later, newest first.

        Raises:
            Unavailable: the store does not answer.
        """

    def kick(self, board_id: str, user_id: str) -> bool:
        """Remove a user from a board; False if the user is not there."""

    def ready(self) -> Readiness:
        """Whether the server takes connections, and what it has to work with."""

    def metrics_text(self) -> bytes:
        """The numbers of the server in the Prometheus text format."""
