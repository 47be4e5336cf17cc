"""The server as the web application sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from typing_extensions import override

from ..core.events import Kick
from ..documents.service import DocumentService
from ..metrics import Metrics
from ..presence.service import PresenceService
from ..protocol.avatar_hosts import AvatarHosts
from ..protocol.messages import encode_users
from ..protocol.model import HistoryEntry
from ..refusals import RefusalReason
from ..rooms.registry import Registry
from ..settings import Settings
from ..storage.errors import StorageError
from ..transport.sessions.tokens import InvalidToken, TokenVerifier
from ..web.ports import Access, BoardSummary, PresenceView, Readiness, Unavailable, WebPorts
from .recovery import Recovery


class WebView(WebPorts):
    """Answers the web application from the live rooms, the store and the cache.

    Args:
        settings: the capacity and the admin token come from here.
        registry: the boards that have a room.
        recovery: restores the others, which are in the store.
        service: the store and the cache.
        metrics: the numbers of the server.
        verifier: checks tokens; None: everybody may read every board.
        documents: the Yjs documents; None if there are none.

    Attributes:
        is_draining: replaced by the gateway's answer once there is a gateway.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        recovery: Recovery,
        service: PresenceService,
        metrics: Metrics,
        verifier: TokenVerifier | None = None,
        documents: DocumentService | None = None,
    ) -> None:
        self._capacity = settings.board.capacity
        token = settings.auth.admin_token
        self._admin_token = None if token is None else token.get_secret_value()
        self._allowed_origins = frozenset(settings.auth.allowed_origins)
        self._avatar_hosts = AvatarHosts(settings.profile.avatar_hosts)
        self._registry = registry
        self._recovery = recovery
        self._service = service
        self._metrics = metrics
        self._verifier = verifier
        self._documents = documents
        self.is_draining: Callable[[], bool] = lambda: False

    @property
    @override
    def admin_token(self) -> str | None:
        return self._admin_token

    @property
    @override
    def allowed_origins(self) -> frozenset[str]:
        return self._allowed_origins

    @property
    @override
    def avatar_hosts(self) -> AvatarHosts:
        return self._avatar_hosts

    @override
    def authorize(self, board_id: str, token: str | None) -> Access:
        if self._verifier is None:
            return Access.ALLOWED
        refusals = self._metrics.refusals
        if token is None:
            refusals.note(RefusalReason.TOKEN_MISSING)
            return Access.UNAUTHORIZED
        try:
            claims = self._verifier.verify(token)
        except InvalidToken as error:
            refusals.note(error.reason)
            return Access.UNAUTHORIZED
        if claims.covers(board_id):
            return Access.ALLOWED
        refusals.note(RefusalReason.TOKEN_NOT_FOR_BOARD)
        return Access.FORBIDDEN

    @override
    async def presence(self, board_id: str) -> PresenceView:
        await self._restore(board_id)
        task = self._registry.get(board_id)
        if task is None:
            # The cache knows boards that are live in another process.
            users_json = await self._service.current_users(board_id)
            return PresenceView(users_json, _count(users_json), self._capacity, 0)
        users = task.room.current_users()
        return PresenceView(encode_users(users), len(users), self._capacity, task.room.queue_length)

    @override
    async def boards(self) -> Sequence[BoardSummary]:
        return self.own_boards()

    def own_boards(self) -> list[BoardSummary]:
        """The boards that are live in this process."""
        found = [
            BoardSummary(
                task.board_id,
                len(task.room.current_users()),
                task.room.connected_count,
                task.room.queue_length,
            )
            for task in self._registry
        ]
        shows_connected = self._recovery.shows_connected
        found += [
            BoardSummary(board.board_id, board.users, board.users if shows_connected else 0, 0)
            for board in self._recovery.sleeping
            if self._registry.get(board.board_id) is None
        ]
        return found

    async def _restore(self, board_id: str) -> None:
        """Wait for the stored sessions of a board, if this process has the board."""
        if self._registry.owns(board_id):
            await self._recovery.need(board_id)

    @override
    async def history(
        self, board_id: str, since_ms: int | None, limit: int
    ) -> Sequence[HistoryEntry]:
        try:
            return await self._service.history(board_id, since_ms, limit)
        except StorageError as error:
            raise Unavailable(str(error)) from error

    @override
    async def document(self, board_id: str) -> bytes | None:
        if self._documents is None:
            return None
        try:
            return await self._documents.state(board_id)
        except StorageError as error:
            raise Unavailable(str(error)) from error

    @override
    async def delete_document(self, board_id: str) -> bool:
        if self._documents is None:
            return False
        try:
            return await self._documents.delete(board_id)
        except StorageError as error:
            raise Unavailable(str(error)) from error

    @override
    async def kick(self, board_id: str, user_id: str) -> bool:
        await self._restore(board_id)
        task = self._registry.get(board_id)
        if task is None or not task.room.has_user(user_id):
            return False
        task.apply(Kick(user_id))
        return True

    @override
    def refused(self, reason: RefusalReason) -> None:
        self._metrics.refusals.note(reason)

    @override
    async def ready(self) -> Readiness:
        return self.own_readiness()

    def own_readiness(self) -> Readiness:
        """The readiness of this process."""
        # The port opens when the server is ready, so nobody can see "starting".
        database, cache = self._service.database_status, self._service.cache_status
        status: Literal["ready", "degraded", "draining"] = "ready"
        if self.is_draining():
            status = "draining"
        elif "down" in (database, cache):
            status = "degraded"
        return Readiness(status, database, cache)

    @override
    async def metrics_text(self) -> bytes:
        self.gather_counters()
        return self._metrics.text()

    def gather_counters(self) -> None:
        """Give the metrics what others count."""
        counters = self._service.counters
        self._metrics.store_flushes = counters.flushes
        self._metrics.store_failures = counters.store_failures
        self._metrics.store_unreadable = self._service.unreadable_rows
        self._metrics.cache_failures = counters.cache_failures


def _count(users_json: bytes) -> int:
    return len(msgspec.json.decode(users_json, type=list[msgspec.Raw]))
