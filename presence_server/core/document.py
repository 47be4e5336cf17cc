"""The state of a Yjs document in a room: its phase, its vector, and its watchers.

The document's bytes are not here. The service of documents has them, and merges what the room
gives it; the room knows the state vector, and decides by it at once::

    phase    event                 next     effects
    -------  --------------------  -------  ----------------------------------------------
    absent   the first binary one  loading  LoadDocument
    loading  a change              loading  Relay MergeAndTell
    loading  DocumentLoaded        live     AnswerVector to all who asked
    live     a change that fits    live     Relay Merge
    live     any other change      live     MergeAndTell, or a question to its sender
    any      DocumentDeleted       absent   Close to all who watch
"""

from __future__ import annotations

import enum
import math
from collections import deque

from .yjs.awareness import AwarenessTray
from .yjs.vector import StateVector

RELAY_BYTES = 16_384
"""An update that is longer is merged before it is relayed: checking it takes a while."""
MOST_UNSTORED = 1000
"""Changes of one connection that are remembered one by one until they are durable."""
ASK_INTERVAL_S = 1.0
"""A client is asked for what is missing, and each of its questions answered, at most once in this
time."""


class DocumentPhase(enum.Enum):
    """The phases of a document in a room; see the table above."""

    ABSENT = "absent"
    LOADING = "loading"
    LIVE = "live"


class Watcher:
    """A connection that speaks Yjs. Times are scheduling seconds."""

    __slots__ = (
        "answered_at",
        "asked_at",
        "confirms",
        "connection",
        "echoes",
        "has_more",
        "has_news",
        "held",
        "holds_back",
        "is_answering",
        "is_told_off",
        "is_watching",
        "must_ask",
        "must_confirm",
        "must_show",
        "owed",
        "session_id",
        "shown_at",
        "stored",
        "unstored",
        "wanted",
    )

    def __init__(self, connection: int, session_id: str, *, confirms: bool = False) -> None:
        self.connection = connection
        self.session_id = session_id
        self.confirms = confirms
        """Whether the client counts its changes until each of them is confirmed."""
        self.must_confirm = False
        """Whether the client counts its sync step 1, too: it waits for the server to have all."""
        self.has_news = False
        """Whether the client had something that the document lacked when it last asked."""
        self.wanted: bytes | None = None
        """The state vector of its sync step 1, until that is answered."""
        self.is_answering = False
        """Whether the service computes an answer for it."""
        self.answered_at = -math.inf
        self.asked_at = -math.inf
        """When it was last sent a sync step 1."""
        self.must_ask = False
        """Whether to ask it once more, since a change of it was dropped after it was asked."""
        self.shown_at = -math.inf
        """When it was last sent the awareness of everybody."""
        self.must_show = False
        """Whether to send it that once more, since it asked too soon."""
        self.is_watching = False
        """Whether it gets what is relayed: it has joined, or it may watch while it waits."""
        self.is_told_off = False
        """Whether it heard that it may not change the document."""
        self.unstored: deque[tuple[int, int]] = deque()
        """Its changes that are not durable: the number, and how many messages each stands for."""
        self.held: bytes | None = None
        """The first awareness that came before its session had joined."""
        self.has_more = False
        """Whether more awareness came before its session had joined."""
        self.holds_back = False
        """Whether its last answer had changes that wait for others in the client: it is asked
        again when others have come."""
        self.owed = 0
        """Messages that were dropped; its next sync step 2 has what was in them."""
        self.stored = 0
        """Messages whose changes are durable."""
        self.echoes = 0
        """How many of the awareness messages that it was sent it may not send back any more."""

    def note_change(self, number: int, messages: int = 1) -> None:
        """Note a change that is not durable yet.

        Args:
            number: of the change.
            messages: how many messages it stands for.
        """
        if len(self.unstored) >= MOST_UNSTORED:
            # The store is down for long: the last change stands for those before it as well.
            messages += self.unstored.pop()[1]
        self.unstored.append((number, messages))


class Document:
    """The Yjs document of a board, and its awareness.

    Args:
        interval_ms: the shortest time between two awareness messages, in milliseconds.

    Attributes:
        phase: how far it is.
        vector: the state vector of all that was relayed or merged.
        size: its length in bytes, or a little more.
        may_change: false if it is a new document and no more documents are stored.
        number: of the last change that the service got.
        durable: the number up to which all changes are durable.
        merging: changes of which the service will tell what became of them, by number: the
            sender's connection, whether the change is relayed already, and whether it is a
            sync step 2.
        watchers: the connections that speak Yjs, by number.
        awareness: who shows what to the others.
        has_spoken: whether the watchers were sent something lately.
        turns: how often the watchers were given a sign of life, or could have been.
    """

    __slots__ = (
        "awareness",
        "durable",
        "has_spoken",
        "may_change",
        "merging",
        "number",
        "phase",
        "size",
        "turns",
        "vector",
        "watchers",
    )

    def __init__(self, interval_ms: float) -> None:
        self.watchers: dict[int, Watcher] = {}
        self.awareness = AwarenessTray(interval_ms)
        self.has_spoken = False
        self.turns = 0
        self.number = self.durable = 0
        self.forget()

    def forget(self) -> None:
        """There is no document, or not any more."""
        self.phase = DocumentPhase.ABSENT
        self.vector = StateVector()
        self.size = 0
        self.may_change = True
        self.merging: dict[int, tuple[int, bool, bool]] = {}

    def next_number(self) -> int:
        """The number of the next change."""
        self.number += 1
        return self.number
