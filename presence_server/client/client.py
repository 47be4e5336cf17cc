"""The client: one board, one user, as many connections as it takes."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
import trio
from msgspec import UNSET, Raw, UnsetType

from ..protocol.errors import CloseCode, Reconnect
from ..protocol.messages import (
    AuthRefresh,
    BoardJoined,
    BoardLeave,
    BoardQueued,
    ClientMessage,
    Error,
    PresenceUpdate,
    RefreshPayload,
    ServerMessage,
    UpdatePayload,
    UserObject,
)
from ..protocol.model import Cursor
from .address import Address, Opener, parse_address
from .events import ClientEvent, Disconnected, EventBuffer
from .link import Link
from .replica import Replica
from .retry import Ending, PresenceClosed, asked_after_error_s, delay_s, what_next

LEAVE_TIMEOUT_S = 2.0

State = Literal["connecting", "queued", "joined", "closed"]
Status = Literal["online", "active", "idle", "away"]


@asynccontextmanager
async def connect(
    server: str,
    board_id: str,
    *,
    user_id: str | None = None,
    display_name: str | None = None,
    avatar_url: str | None = None,
    color: str | None = None,
    token: str | None = None,
    session_id: str | None = None,
    give_up_after_s: float = 300.0,
    buffer_size: int = 1024,
    tls_context: ssl.SSLContext | None = None,
    open_stream: Opener | None = None,
    rng: random.Random | None = None,
) -> AsyncIterator[PresenceClient]:
    """Be on a board for as long as the block runs, then leave it.

    The block starts once the client has joined or stands in the queue. A lost connection
    comes back by itself, to the same session where that is possible.

    Args:
        server: ``host:port`` or a URL.
        board_id: the board.
        user_id, display_name, avatar_url, color: who this is, where the server lets
            users name themselves.
        token: a JWT, where it does not.
        session_id: a session to resume.
        give_up_after_s: how long to try to come back, each time.
        buffer_size: how many events may wait to be read; then the oldest are dropped.
        tls_context: for a server with a certificate of its own.
        open_stream: opens the stream to the server, instead of a socket.
        rng: for the jitter of the delays.

    Raises:
        PresenceClosed: the server cannot be reached or does not let this user in.
        ValueError: ``server`` is no address.
    """
    address = parse_address(server)
    identity = {
        "user_id": user_id,
        "display_name": display_name,
        "avatar_url": avatar_url,
        "color": color,
    }
    client = PresenceClient(
        address,
        board_id,
        identity,
        token=token,
        session_id=session_id,
        give_up_after_s=give_up_after_s,
        buffer_size=buffer_size,
        open_stream=open_stream or address.opener(tls_context),
        rng=rng or random.Random(),  # noqa: S311 - jitter is no secret
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(client.run)
            try:
                yield client
            finally:
                with trio.CancelScope(shield=True):
                    await client.leave()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nursery is our own affair: whoever uses the client sees the error alone.
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__


class PresenceClient:
    """A user on a board. Made by :func:`connect`; iterate over it for events.

    The iterator ends after a clean leave and raises :exc:`PresenceClosed` when the server
    will not have us back. One task iterates; any task may call the other methods.
    """

    def __init__(
        self,
        address: Address,
        board_id: str,
        identity: Mapping[str, str | None],
        *,
        token: str | None,
        session_id: str | None,
        give_up_after_s: float,
        buffer_size: int,
        open_stream: Opener,
        rng: random.Random,
    ) -> None:
        self.board_id = board_id
        self.state: State = "connecting"
        self._address = address
        self._identity = identity
        self._token = token
        self._give_up_after_s = give_up_after_s
        self._open_stream = open_stream
        self._rng = rng
        self._replica = Replica()
        self._replica.session_id = session_id
        self._buffer = EventBuffer(buffer_size)
        self._link: Link | None = None
        self._life = trio.CancelScope()
        self._started: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
        self._was_welcome = False
        self._is_leaving = False
        self._closed = trio.Event()
        self._failure: PresenceClosed | None = None
        self._last_error: Error | None = None
        self._wanted: dict[str, object] = {}
        self._unsent: dict[str, object] = {}

    # --- what there is to see ---------------------------------------------------

    @property
    def users(self) -> Mapping[str, UserObject]:
        """Who is on the board, by ``user_id``; while the connection is lost, who was."""
        return self._replica.users

    @property
    def self_user(self) -> UserObject | None:
        """This user as others see it; None before it has joined."""
        return self._replica.users.get(self._replica.self_id or "")

    @property
    def session_id(self) -> str | None:
        """What to pass to :func:`connect` to resume this session. A secret."""
        return self._replica.session_id

    @property
    def position(self) -> int | None:
        """The place in the queue; 1 is next; None unless this user waits."""
        return self._replica.position

    @property
    def events_dropped(self) -> int:
        """How many events were dropped because nobody read them."""
        return self._buffer.dropped

    def __aiter__(self) -> AsyncIterator[ClientEvent]:
        return self

    async def __anext__(self) -> ClientEvent:
        event = await self._buffer.get()
        if event is not None:
            return event
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    # --- what there is to do ------------------------------------------------------

    async def update(
        self,
        *,
        status: Status | UnsetType = UNSET,
        cursor: tuple[float, float] | UnsetType | None = UNSET,
        metadata: Mapping[str, object] | UnsetType | None = UNSET,
    ) -> None:
        """Change what others see. Kept until it can be sent, newest per field.

        Raises:
            ValueError: nothing to change.
            PresenceClosed: the client is closed.
        """
        fields: dict[str, object] = {}
        if status is not UNSET:
            fields["status"] = status
        if cursor is not UNSET:
            fields["cursor"] = None if cursor is None else Cursor(*cursor)
        if metadata is not UNSET:
            fields["metadata"] = Raw(msgspec.json.encode(metadata))
        if not fields:
            raise ValueError("nothing to update")
        if self.state == "closed":
            raise self._failure or PresenceClosed(CloseCode.CLEAN_LEAVE, "the board was left")
        self._wanted |= fields
        self._unsent |= fields
        await self._send_updates()

    async def refresh(self, token: str) -> None:
        """Show a new token; it is also used for the connections to come."""
        self._token = token
        await self._send(AuthRefresh(RefreshPayload(token)))

    async def leave(self) -> None:
        """Leave the board cleanly; returns once the server agrees, or soon."""
        self._is_leaving = True
        with trio.move_on_after(LEAVE_TIMEOUT_S):
            if self.state != "closed" and await self._send(BoardLeave()):
                await self._closed.wait()
        if self.state != "closed":
            self._end(None)

    async def drop(self) -> None:
        """Lose the connection without a word, as a network would; it comes back."""
        if self._link is not None:
            await self._link.drop()

    # --- how it is done -------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a connection until it must not come back; started by :func:`connect`.

        Reports as started once the client was welcome.

        Raises:
            PresenceClosed: before that; afterwards the iterator says so.
        """
        self._started = task_status
        with self._life:
            await self._keep_connected()
        if self._failure is not None and not self._was_welcome:
            raise self._failure

    async def _keep_connected(self) -> None:
        attempt, lost_at = 0, trio.current_time()
        while True:
            ending = await self._connect_once()
            if self.state in ("joined", "queued"):
                attempt, lost_at = 0, trio.current_time()
            self.state = "connecting"
            choice = what_next(ending)
            unreachable = ending.status is None and not ending.opened
            delay = delay_s(ending, attempt, self._rng)
            if (
                self._is_leaving
                or choice is Reconnect.NO
                or (unreachable and not self._was_welcome)
                or trio.current_time() + delay > lost_at + self._give_up_after_s
            ):
                self._end(None if self._is_leaving else self._closing_error(ending))
                return
            if choice is Reconnect.NEW_SESSION:
                self._replica.session_id = None
            self._buffer.put(Disconnected(ending.code, ending.reason, delay))
            attempt += 1
            await trio.sleep(delay)

    async def _connect_once(self) -> Ending:
        self._last_error = None
        query = {**self._identity, "session_id": self.session_id}
        self._link = Link(
            self._open_stream,
            self._address.netloc,
            self._address.target(self.board_id, query),
            self._token,
            self._replica,
        )
        return self._explained(await self._link.run(self._take))

    def _explained(self, ending: Ending) -> Ending:
        """With what the ``error`` event before the close said, which is more than a code."""
        error = self._last_error
        if error is None or ending.code is None:
            return ending
        asked_ms = error.payload.retry_after_ms
        return msgspec.structs.replace(
            ending,
            reason=f"{error.payload.code}: {error.payload.message}",
            retry_after_s=ending.retry_after_s or asked_after_error_s(ending.code, asked_ms),
        )

    async def _take(self, message: ServerMessage) -> None:
        self._replica.apply(message)
        self._buffer.put(message)
        match message:
            case BoardJoined(payload=joined):
                self.state = "joined"
                if not joined.resumed:
                    self._unsent = dict(self._wanted)
                self._welcome()
                await self._send_updates()
            case BoardQueued():
                self.state = "queued"
                self._welcome()
            case Error():
                self._last_error = message
            case _:
                pass

    def _welcome(self) -> None:
        if not self._was_welcome:
            self._was_welcome = True
            # From here on connect() ends it, and a cancelled block still leaves cleanly.
            self._life.shield = True
            self._started.started()

    def _closing_error(self, ending: Ending) -> PresenceClosed | None:
        if ending.code == CloseCode.CLEAN_LEAVE:
            return None
        return PresenceClosed(ending.code, ending.reason, ending.status)

    def _end(self, failure: PresenceClosed | None) -> None:
        self.state = "closed"
        self._failure = failure
        self._closed.set()
        self._buffer.close()
        self._life.cancel()

    async def _send_updates(self) -> None:
        if self.state != "joined" or not self._unsent:
            return
        fields, self._unsent = self._unsent, {}
        update = PresenceUpdate(UpdatePayload(**fields))  # type: ignore[arg-type]
        if not await self._send(update):
            self._unsent = fields | self._unsent

    async def _send(self, message: ClientMessage) -> bool:
        return self._link is not None and await self._link.send(message)
