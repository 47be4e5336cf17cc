"""The client: one user on one board, over as many connections as that takes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from typing import Literal, Unpack

import anyio
import anyio.lowlevel
from msgspec import UNSET, UnsetType

from ..protocol.errors import CloseCode, Reconnect
from ..protocol.messages import (
    BoardJoined,
    BoardLeave,
    BoardQueued,
    ClientMessage,
    Error,
    ErrorPayload,
    ProfileUpdate,
    ServerMessage,
    UserObject,
)
from .address import Address, Opener
from .events import ClientEvent, Disconnected, EventBuffer
from .replica import Replica
from .retry import Ending, PresenceClosed, closing_error, delay_s, explained, what_next
from .token_keeper import GetToken, TokenKeeper, TokenUnavailable
from .update_sender import UpdateSender
from .values import ProfileFields, Status, profile_change, update_fields
from .websocket_link import WebSocketLink

LEAVE_TIMEOUT_S = 2.0

State = Literal["connecting", "queued", "joined", "closed"]


class PresenceClient:
    """A user on a board; :func:`.connecting.connect` makes one.

    Iterate over it for events. The iterator ends after a clean leave; it raises
    :exc:`PresenceClosed` when the connection ended and the client must not reconnect. One
    task iterates; any task may call the other methods.

    Attributes:
        board_id: The board.
        state: ``connecting``, ``queued``, ``joined`` or ``closed``.
    """

    def __init__(
        self,
        address: Address,
        board_id: str,
        profile: Mapping[str, str | None],
        *,
        token: str | None,
        get_token: GetToken | None,
        session_id: str | None,
        give_up_after_s: float,
        buffer_size: int,
        open_stream: Opener,
        rng: random.Random,
    ) -> None:
        self.board_id = board_id
        self.state: State = "connecting"
        self._address = address
        self._profile = profile
        self._tokens = TokenKeeper(token, get_token, self._send)
        self._give_up_after_s = give_up_after_s
        self._open_stream = open_stream
        self._rng = rng
        self._replica = Replica()
        self._replica.session_id = session_id
        self._buffer = EventBuffer(buffer_size)
        self._link: WebSocketLink | None = None
        # connect() ends it, so that a block that is cancelled at any moment leaves cleanly.
        self._life = anyio.CancelScope(shield=True)
        self._was_welcome = False
        self._settled = anyio.Event()
        """The client was welcome, or has ended."""
        self._is_leaving = False
        self._closed = anyio.Event()
        self._failure: PresenceClosed | None = None
        self._last_error: ErrorPayload | None = None
        self._updates = UpdateSender(self._replica, self._send)

    # --- what there is to see ---------------------------------------------------

    @property
    def users(self) -> Mapping[str, UserObject]:
        """The users of the board by ``user_id``; without a connection, the last known ones.

        In the queue they are those who have a seat, if the server lets this client watch.
        """
        return self._replica.users

    @property
    def self_user(self) -> UserObject | None:
        """This user as the others see it; None before it has joined."""
        return self._replica.self_user

    @property
    def session_id(self) -> str | None:
        """The id by which :func:`.connecting.connect` resumes this session. It is a secret."""
        return self._replica.session_id

    @property
    def position(self) -> int | None:
        """This user's position in the queue; 1 is next; None outside the queue."""
        return self._replica.position

    @property
    def events_dropped(self) -> int:
        """How many events were dropped because nobody read them."""
        return self._buffer.dropped

    def __aiter__(self) -> AsyncIterator[ClientEvent]:
        """Iterate over the events, from the oldest that nobody has read."""
        return self

    async def __anext__(self) -> ClientEvent:
        """Wait for the next event.

        Returns:
            The event.

        Raises:
            StopAsyncIteration: The board was left.
            PresenceClosed: The connection ended, and the client must not reconnect.
        """
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
        """Change what the others see; fields that are not given stay as they are.

        Returns before it is sent. Updates go out at the server's pace, with the newest value
        of each field, and are sent again until the server has them; without a connection they
        are kept until there is one.

        Args:
            status: How present the user is.
            cursor: A position in the board's units; None takes the cursor away.
            metadata: A JSON object, at most 2048 bytes; it replaces the old; None clears it.

        Raises:
            ValueError: No field was given, or the server would refuse one.
            TypeError: JSON cannot carry a value.
            PresenceClosed: The client is closed.
        """
        fields = update_fields(status=status, cursor=cursor, metadata=metadata)
        self._check_open()
        self._updates.set(fields)
        await anyio.lowlevel.checkpoint()

    async def update_profile(self, **fields: Unpack[ProfileFields]) -> None:
        """Change how the user is shown; seat, session and place in the queue stay.

        Returns before it is sent, as :meth:`update`. Where tokens say who a user is, the server
        refuses it with an ``Error`` event, unless the token has the claim ``profile: "client"``.

        Args:
            **fields: See :class:`ProfileFields`; None asks for the default.

        Raises:
            ValueError: No field was given, or the server would refuse one.
            PresenceClosed: The client is closed.
        """
        change = profile_change(**fields)
        self._check_open()
        self._updates.set_profile(change)
        if self.state == "queued":
            await self._send(ProfileUpdate(change))
        await anyio.lowlevel.checkpoint()

    async def refresh(self, token: str) -> None:
        """Send a new token, and use it for later connections too.

        Args:
            token: A JWT of the same user.

        Raises:
            ValueError: A header cannot carry it.
        """
        await self._tokens.refresh(token)

    async def leave(self) -> None:
        """Leave the board cleanly, and wait until the server has closed, for 2 s at most."""
        self._is_leaving = True
        with anyio.move_on_after(LEAVE_TIMEOUT_S):
            if self._link is not None:
                # A session that the server is about to make would stay without a leave.
                await self._link.opened.wait()
            # Another session of the user keeps what this one has set.
            await self._updates.flush()
            if self.state != "closed" and await self._send(BoardLeave()):
                await self._closed.wait()
        self.abandon()

    def abandon(self) -> None:
        """Close the client at once, without a leave; nothing if it is closed already."""
        if self.state != "closed":
            self._end(None)

    async def drop(self) -> None:
        """Lose the connection as a network failure would; the client then reconnects."""
        if self._link is not None:
            await self._link.drop()

    # --- how it is done -------------------------------------------------------------

    async def wait_until_welcome(self) -> None:
        """Return once the client has joined or stands in the queue.

        Raises:
            PresenceClosed: It was refused before that; after that its iterator raises.
        """
        await self._settled.wait()
        if self._failure is not None and not self._was_welcome:
            raise self._failure

    async def run(self) -> None:
        """Keep a connection for as long as the client may reconnect. Only :meth:`leave` ends it."""
        with self._life:
            async with anyio.create_task_group() as group:
                group.start_soon(self._updates.run)
                group.start_soon(self._tokens.run)
                await self._keep_connected()
                group.cancel_scope.cancel()

    async def _keep_connected(self) -> None:
        attempt, lost_at = 0, anyio.current_time()
        while True:
            ending = await self._connect_once()
            self._updates.closed()
            self._tokens.closed()
            if self.state in ("joined", "queued"):
                attempt, lost_at = 0, anyio.current_time()
            self.state = "connecting"
            choice = what_next(ending)
            if ending.code == CloseCode.UNAUTHORIZED and self._tokens.may_cure():
                choice = Reconnect.NEW_SESSION
            unreachable = ending.status is None and not ending.opened
            delay = delay_s(ending, attempt, self._rng)
            if (
                self._is_leaving
                or choice is Reconnect.NO
                or (unreachable and not self._was_welcome)
                or anyio.current_time() + delay > lost_at + self._give_up_after_s
            ):
                self._end(None if self._is_leaving else closing_error(ending))
                return
            if choice is Reconnect.NEW_SESSION:
                self._replica.session_id = None
            self._buffer.put(Disconnected(ending.code, ending.reason, delay))
            attempt += 1
            await anyio.sleep(delay)

    async def _connect_once(self) -> Ending:
        self._last_error = None
        try:
            await self._tokens.prepare()
        except TokenUnavailable as error:
            return Ending(None, str(error), opened=False)
        is_guest = "user_id" not in self._profile and self._tokens.token is None
        guest = self._replica.guest() if is_guest else {}
        query = {**guest, **self._profile, "session_id": self.session_id, "watch": "1"}
        self._link = WebSocketLink(
            self._open_stream,
            self._address.netloc,
            self._address.target(self.board_id, query),
            self._tokens.token,
            self._replica,
            self._updates.asked,
        )
        return explained(await self._link.run(self._take), self._last_error)

    async def _take(self, message: ServerMessage) -> None:
        self._replica.apply(message)
        self._updates.heed(message)
        self._tokens.heed(message)
        self._buffer.put(message)
        match message:
            case BoardJoined() | BoardQueued():
                self.state = "joined" if isinstance(message, BoardJoined) else "queued"
                self._was_welcome = True
                self._settled.set()
            case Error():
                self._last_error = message.payload
            case _:
                pass

    def _check_open(self) -> None:
        if self.state == "closed":
            raise self._failure or PresenceClosed(CloseCode.CLEAN_LEAVE, "the board was left")

    def _end(self, failure: PresenceClosed | None) -> None:
        self.state = "closed"
        self._failure = failure
        self._closed.set()
        self._settled.set()
        self._buffer.close()
        self._life.cancel()

    async def _send(self, message: ClientMessage) -> bool:
        return self._link is not None and await self._link.send(message)
