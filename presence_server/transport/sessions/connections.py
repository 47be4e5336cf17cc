"""The WebSocket connections of one server: opened, started, drained and forgotten here."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import trio

from ...protocol.errors import CloseCode, retry_reason
from ...rooms.registry import Registry
from ..wire.connection import Connection
from ..wire.connection_limits import BinaryLimits, ConnectionLimits
from ..wire.ports import ConnectionAlarms, TransportMetrics, Wire
from ..wire.stage import Stage
from ..wire.unfinished import UnfinishedBytes
from .binary_link import BinaryLink
from .denied_link import DeniedLink
from .handshake import Accepted, Dialect, Handshake
from .hocuspocus_link import HocuspocusLink
from .identity import AccessDenied, Authority
from .link_context import LinkContext
from .queue_tickets import QueueTickets
from .room_entry import RoomEntry, RoomEntryLimits
from .session_budgets import SessionBudgets
from .session_link import SessionLink
from .yjs_link import YjsLink

Link = SessionLink | DeniedLink

_LINKS: dict[Dialect, type[BinaryLink]] = {
    Dialect.TEXT: BinaryLink,
    Dialect.YJS: YjsLink,
    Dialect.HOCUSPOCUS: HocuspocusLink,
}


class YjsLimits(msgspec.Struct, frozen=True):
    """Bounds of the binary messages of one connection.

    Attributes:
        max_binary_bytes: the largest message.
        binary_per_s: messages a second that it may send; more are read more slowly.
        binary_burst: messages that it may send at once.
        unfinished_bytes: bytes that may have come of unfinished messages, of all connections.
    """

    max_binary_bytes: int
    binary_per_s: float
    binary_burst: int
    unfinished_bytes: int


class SessionLimits(msgspec.Struct, frozen=True):
    """Bounds of the connections and of their sessions.

    Attributes:
        connection: what one connection may hold and how long it may wait.
        room_entry: what the sessions of all boards may be together.
        messages_per_s: messages a second that one session may send.
        burst: messages that it may send at once.
        yjs: the bounds of binary messages; None if nobody may speak Yjs.
    """

    connection: ConnectionLimits
    room_entry: RoomEntryLimits
    messages_per_s: float
    burst: int
    yjs: YjsLimits | None = None


class Connections:
    """Every open WebSocket connection, whichever pump carries its bytes.

    Args:
        registry: the rooms.
        alarms: the connections' deadlines.
        authority: decides who a client is.
        limits: the bounds of a connection and of its session.
        metrics: the transport's numbers.
        tickets: issues the session ids of clients in a queue.
        now_ms: the wall clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        registry: Registry,
        alarms: ConnectionAlarms,
        authority: Authority,
        limits: SessionLimits,
        metrics: TransportMetrics,
        tickets: QueueTickets,
        now_ms: Callable[[], int],
    ) -> None:
        self.batch = registry.batch
        self._alarms = alarms
        self._authority = authority
        self._limits = limits
        self._metrics = metrics
        self._room_entry = RoomEntry(registry, tickets, limits.room_entry)
        self._budgets = SessionBudgets(limits.messages_per_s, limits.burst)
        self._context = LinkContext(
            authority, alarms, metrics, now_ms, self._budgets, self._room_entry.note_drop
        )
        self._unfinished = UnfinishedBytes(0 if limits.yjs is None else limits.yjs.unfinished_bytes)
        self._links: dict[int, tuple[Link, Callable[[], None]]] = {}
        self._numbers = itertools.count(1)
        self._is_draining = False
        self._empty = trio.Event()

    def __len__(self) -> int:
        return len(self._links)

    def serve(
        self,
        accepted: Accepted,
        wire: Wire,
        address: str | None,
        on_closed: Callable[[], None],
    ) -> bool:
        """Open a connection and start it. A bug at its start closes this connection alone.

        Args:
            accepted: its handshake.
            wire: carries its bytes; gets the connection as its endpoint.
            address: the address that the limits count it under; None if they do not count it.
            on_closed: called once, when the connection is closed.

        Returns:
            Whether it stays open: its client has a session, or may get one.
        """
        link = self.open(accepted, wire, address, on_closed)
        connection = link.connection
        with self.batch:
            try:
                self.start(link, accepted)
            except Exception as error:
                link.crash(error)
        return connection.stage is Stage.OPEN

    def open(
        self,
        accepted: Accepted,
        wire: Wire,
        address: str | None,
        on_closed: Callable[[], None],
    ) -> Link:
        """Make a connection and what it serves: a session, or an error and a close.

        Args:
            accepted: its handshake.
            wire: carries its bytes; gets the connection as its endpoint.
            address: the address that the limits count it under; None if they do not count it.
            on_closed: called once, when the connection is closed.

        Returns:
            The link on the new connection, which :meth:`start` starts.
        """
        number = next(self._numbers)
        handshake, limits = accepted.handshake, self._limits
        link: Link
        try:
            link = self._kind_of(handshake)(
                number,
                handshake.board_id,
                self._authority.admit(handshake),
                self._budgets.open(handshake.resume, trio.current_time()),
                address,
                self._context,
                self._forget,
            )
            if isinstance(link, BinaryLink) and limits.yjs is not None:
                link.limit_binary(limits.yjs.binary_per_s, limits.yjs.binary_burst)
            if isinstance(link, HocuspocusLink):
                link.prefix = handshake.address
        except AccessDenied as denied:
            self._metrics.refusals.note(denied.reason)
            link = DeniedLink(number, denied, self._forget, handshake.dialect, handshake.address)
        connection = Connection(
            accepted.protocol, wire, link, self._alarms, limits.connection, self._binary(handshake)
        )
        link.attach(connection)
        wire.endpoint = connection
        self._links[number] = link, on_closed
        self._metrics.connections_accepted += 1
        return link

    def _kind_of(self, handshake: Handshake) -> type[SessionLink]:
        if self._limits.yjs is None:
            return SessionLink
        return _LINKS[handshake.dialect]

    def _binary(self, handshake: Handshake) -> BinaryLimits | None:
        if self._limits.yjs is None:
            return None
        has_text = handshake.dialect is Dialect.TEXT
        code = CloseCode.TOO_BIG if has_text else CloseCode.DOCUMENT_TOO_LARGE
        return BinaryLimits(self._limits.yjs.max_binary_bytes, self._unfinished, code)

    def start(self, link: Link, accepted: Accepted) -> None:
        """Send the handshake's response, then enter the room, or say why not.

        Args:
            link: as :meth:`open` returned it.
            accepted: its handshake.
        """
        connection = link.connection
        if accepted.response:
            connection.write(accepted.response)
        if isinstance(link, DeniedLink):
            link.start()
            return
        self._room_entry.enter(link, accepted.handshake)
        if isinstance(link, BinaryLink):
            link.close_if_overdrawn()
        if accepted.rest:
            connection.receive(accepted.rest)

    def drain(self, retry_after_ms: Callable[[], int]) -> None:
        """Close every connection with 1012; the sessions stay in their rooms and in the store.

        Args:
            retry_after_ms: gives each client the time after which it may come back.
        """
        self._is_draining = True
        with self.batch:
            for link, _ in list(self._links.values()):
                try:
                    link.let_go(CloseCode.SERVER_RESTART, retry_reason(retry_after_ms()))
                except Exception as error:
                    link.crash(error)
        self._note_if_empty()

    async def wait_until_empty(self) -> None:
        """Return after :meth:`drain`, once the last connection is closed."""
        await self._empty.wait()

    def _forget(self, link: Link) -> None:
        _, on_closed = self._links.pop(link.connection_id)
        on_closed()
        self._note_if_empty()

    def _note_if_empty(self) -> None:
        if self._is_draining and not self._links:
            self._empty.set()
