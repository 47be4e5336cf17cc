"""The jobs that wait for one document, in the order of the room's calls."""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..core.document_events import DocumentEvent


class Opening:
    """One room's use of a document, from its ``open`` to its ``close``.

    Args:
        tell: gets the events.
        previous: the opening before, while the document is not loaded.

    Attributes:
        base: what the room's numbers are added to; None until the document is loaded.
        last_number: the last number that the room gave.
    """

    __slots__ = ("_previous", "base", "last_number", "tell")

    def __init__(self, tell: Callable[[DocumentEvent], None], previous: Opening | None) -> None:
        self.tell = tell
        self.base: int | None = None
        self.last_number = 0
        self._previous = previous

    def begin_at(self, seq: int) -> int:
        """Set the base of this and of the openings before; returns the last number so far.

        Args:
            seq: the last number of the document, for the first opening.
        """
        if self.base is None:
            self.base = seq if self._previous is None else self._previous.begin_at(seq)
            self._previous = None
        return self.base + self.last_number


class OpenJob:
    """Tell a room that its document is loaded."""

    __slots__ = ("opening",)

    def __init__(self, opening: Opening) -> None:
        self.opening = opening


class UpdateJob:
    """Merge an update.

    Args:
        opening: whose update it is.
        number: the room's number of it.
        update: the update.
        is_relayed: whether the room has relayed it; if not, it hears what became of it.

    Attributes:
        is_noted: whether it was given to the store.
    """

    __slots__ = ("is_noted", "is_relayed", "number", "opening", "update")

    def __init__(
        self, opening: Opening, number: int, update: bytes | None, *, is_relayed: bool
    ) -> None:
        self.opening = opening
        self.number = number
        self.update = update
        """None if there was no room for it in the queue."""
        self.is_relayed = is_relayed
        self.is_noted = False

    @property
    def seq(self) -> int:
        """The number in the store."""
        assert self.opening.base is not None
        return self.opening.base + self.number

    @property
    def size(self) -> int:
        """The bytes that it keeps."""
        return 0 if self.update is None else len(self.update)


class AnswerJob:
    """Compute what a client lacks."""

    __slots__ = ("connection", "opening", "vector")

    def __init__(self, opening: Opening, connection: int, vector: bytes) -> None:
        self.opening = opening
        self.connection = connection
        self.vector = vector


class StateJob:
    """Give the whole document as one update; None after a deletion or if there is none."""

    __slots__ = ("done", "update")

    def __init__(self) -> None:
        self.update: bytes | None = None
        self.done = trio.Event()


Job = OpenJob | UpdateJob | AnswerJob | StateJob
