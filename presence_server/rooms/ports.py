"""The interfaces that rooms need: transport, presence and metrics implement them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..core.document_events import DocumentEvent
from ..protocol.frames import SharedFrame
from ..protocol.messages import ServerMessage
from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile


class Peer(Protocol):
    """One connection, as a room sees it. No method waits or raises."""

    @property
    def connection_id(self) -> int:
        """The transport's number of the socket, which is never used again."""

    @property
    def speaks_text(self) -> bool:
        """Whether the peer understands text messages; else it gets binary ones only."""

    @property
    def prefix(self) -> bytes:
        """The bytes that belong in front of each binary message to the peer; mostly none."""

    @property
    def is_behind(self) -> bool:
        """Whether a shared frame that was written waits in its outbox, or a part of one."""

    def bind(self, session_id: str) -> None:
        """Give the connection its session."""

    def write(self, data: bytes) -> None:
        """Write whole frames, in order. Bytes that the peer cannot take now wait in its outbox."""

    def write_shared(self, frame: SharedFrame) -> None:
        """Send one frame whose parts other peers get as well; else as :meth:`write`."""

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame after everything that was written, and end the connection."""

    def tell_binary(self, message: ServerMessage) -> None:
        """Tell a peer that speaks no text what it must know of an event; usually nothing."""

    def refuse_binary(self, reason: str) -> None:
        """Answer a binary message that was damaged, and count it as a bad one."""

    def deny(self, reason: str) -> None:
        """Tell a peer that it may not change the Yjs document."""

    def confirm(self, messages: int, *, is_taken: bool) -> None:
        """Tell a peer that counts its changes what became of the changes in so many messages.

        Args:
            messages: how many.
            is_taken: whether the changes are durable; else they were not taken.
        """


class Store(Protocol):
    """Keeps sessions. No method waits or raises."""

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        """Keep a new session; ``on_committed`` is called later, never inside this call."""

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        """Keep the time of a sign of life, in milliseconds since the epoch."""

    def update_status(self, record: PresenceRecord) -> None:
        """Keep the newest state of a session."""

    def update_profile(
        self, board_id: str, session_id: str, profile: UserProfile, at_ms: int
    ) -> None:
        """Keep the new profile of a session's user, from ``at_ms`` since the epoch on."""

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        """Keep when a session ended, in milliseconds since the epoch."""

    def mark_queue(self, board_id: str, user_id: str, at_ms: int) -> None:
        """Keep a time of a board's queue, in milliseconds of the queue's clock.

        Args:
            board_id: the board.
            user_id: the user whose place ended; empty for the newest queueing time of the board.
            at_ms: the time. An older one than before changes nothing.
        """

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """Keep the board's list of users for other readers; None when nobody is left."""


class Documents(Protocol):
    """Keeps Yjs documents. No method waits or raises.

    The room of a board calls :meth:`open` once, when its first client speaks Yjs, and only then
    the other methods; a board without Yjs calls none. The service keeps the order of the calls
    of one board, and answers with events, each later and never inside a call.
    """

    def open(self, board_id: str, tell: Callable[[DocumentEvent], None]) -> None:
        """Load a document; ``DocumentLoaded`` follows, once the store has answered.

        A board that reopens before its last rows are written finds the document as it was.

        Args:
            board_id: the board.
            tell: gets every event about the document until the board is closed or opened again.
        """

    def merge(self, board_id: str, number: int, update: bytes) -> None:
        """Merge and keep an update that was checked, follows on the document and is relayed.

        Called between ``DocumentLoaded`` and :meth:`close` only. No event answers it but
        ``DocumentStored``, and rarely ``DocumentSized`` or ``UpdateSetAside``.

        Args:
            board_id: the board.
            number: larger than all earlier numbers of the board since :meth:`open`.
            update: the update as it came.
        """

    def merge_and_tell(self, board_id: str, number: int, update: bytes) -> None:
        """Check an update, merge and keep it if it fits; ``DocumentMerged`` follows.

        Called for what must not be relayed as it came: a sync step 2, an update over 16 KiB or
        with an empty item, and every update while the document is loading or almost too large.

        Args:
            board_id: the board.
            number: as for :meth:`merge`; one sequence for both.
            update: the update as it came, which may be damaged or follow on nothing.
        """

    def answer(self, board_id: str, connection: int, vector: bytes) -> None:
        """Compute what a client lacks; ``DocumentAnswered`` follows.

        The answer holds every update that was given before this call.

        Args:
            board_id: the board.
            connection: the client's connection, for the event.
            vector: the client's state vector, which was checked; one zero byte if it has nothing.
        """

    def close(self, board_id: str) -> None:
        """The room ended: write what is not stored yet, compact, and let the document go."""


class RoomMetrics(Protocol):
    """Counts for all rooms of a server. Called with each flush and join, not each delivery."""

    def flush(self, deliveries: int, frames: int) -> None:
        """Count a flush: ``frames`` were written in ``deliveries`` deliveries."""

    def joined(self, seconds: float) -> None:
        """Note that a connection got ``board:joined`` so many seconds after its seat was free."""

    def waited(self, seconds: float) -> None:
        """Note that a connection got a seat so many seconds after it came into the queue."""
