"""The documents of the helper process. No other module imports pycrdt.

A panic of Yrs is no ``Exception``, an overrun stack ends the process, and a claimed length may take
all memory. So this runs in a process of its own, and nothing gets to Yrs without the check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pycrdt

from ..core.document_events import MergeOutcome
from ..core.yjs.following import what_follows
from ..core.yjs.parts import split
from ..core.yjs.update import Shape, check
from ..core.yjs.varint import DamagedBytes
from ..core.yjs.vector import StateVector
from .channel import (
    Diff,
    Done,
    Encode,
    Encoded,
    Failed,
    Forget,
    Load,
    Loaded,
    LoadMore,
    Merge,
    Merged,
    MergeResult,
    Parts,
    Reply,
    Request,
)
from .surrogates import SurrogatePairs

_SLICE_S = 1.0
"""After this no further update of a request is begun: others wait, too."""
_MOST_ORIGINS = 1000
"""So many updates are kept one by one of a document that Yrs cannot encode."""


class Worker:
    """Answers requests. A panic, or a lack of memory, passes through :meth:`answer`.

    Args:
        max_bytes: the size of a document that no update may exceed.
        clock: seconds, for the time that a request takes.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._documents: dict[int, Document] = {}

    def answer(self, request: Request) -> Reply:
        """Do what a request asks for.

        Raises:
            MemoryError: there is not enough memory.
            BaseException: Yrs has panicked.
        """
        match request:
            case Load():
                # The old one goes first, or both would be in memory.
                self._forget(request.document)
                updates = self._in_time(request.updates)
                document = Document(request.snapshot, updates, self._max_bytes)
                self._documents[request.document] = document
                return document.loaded()
            case Forget():
                self._forget(request.document)
                return Done()
        known = self._documents.get(request.document)
        if known is None:
            return Failed("no such document")
        try:
            match request:
                case LoadMore():
                    known.load(self._in_time(request.updates))
                    return known.loaded()
                case Merge():
                    known.raised = StateVector()
                    results = [
                        known.merge(update, wants_change=request.wants_changes)
                        for update in self._in_time(request.updates)
                    ]
                    return Merged(results, known.raised.encode(), known.size)
                case Diff():
                    return Parts(known.diff(request.vector))
                case Encode():
                    return known.encode()
        except MemoryError:
            raise
        except Exception as error:
            return Failed(f"{type(error).__name__}: {error}")

    def _in_time(self, updates: list[bytes]) -> Iterator[bytes]:
        """Give the updates of a request, at least one, until it has taken long enough."""
        until = self._clock() + _SLICE_S
        for number, update in enumerate(updates):
            if number and self._clock() >= until:
                return
            yield update

    def _forget(self, number: int) -> None:
        document = self._documents.pop(number, None)
        if document is not None:
            document.close()


class Document:
    """One document.

    Args:
        snapshot: the whole document up to some time; None if there is none.
        updates: what is stored of it since then, or the first of that.
        max_bytes: the size that no update may exceed.

    Attributes:
        vector: its state vector.
        raised: the part of it that was merged since somebody emptied this.
        size: its length as one update in bytes, or more.
        is_whole: whether every stored update could be merged.
    """

    def __init__(self, snapshot: bytes | None, updates: Iterable[bytes], max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._taken = 0
        self._change: bytes | None = None
        self._origin: list[bytes] = []
        """The updates that the document was made of."""
        self._pairs = SurrogatePairs()
        self._doc = pycrdt.Doc[Any]()
        self._subscription = self._doc.observe(self._changed)
        self._is_valid = True
        """Whether Yrs took all that is stored."""
        self._expected = StateVector()
        """The state vector, if all that is stored fits together."""
        self.raised = StateVector()
        if snapshot is not None:
            # Checked when it was made; a walk over all of it would take longer than this.
            self._is_valid = self._apply(snapshot) is None
            self._expected = self._reached()
        self.load(updates)

    def close(self) -> None:
        """Let the document go. One with an observer would stay in memory for ever."""
        self._doc.unobserve(self._subscription)

    def load(self, updates: Iterable[bytes]) -> None:
        """Merge what is stored.

        Args:
            updates: the next of what is stored of the document.
        """
        self._taken = 0
        for update in updates:
            self._taken += 1
            try:
                shape = check(update)
            except DamagedBytes:
                self._is_valid = False
                continue
            self._is_valid = self._apply(update) is None and self._is_valid
            self._expected.add(shape)
        self._change = None
        self.vector = self._reached()
        self.is_whole = self._is_valid and self._expected.clocks == self.vector.clocks
        self.size = len(self._whole())

    def loaded(self) -> Loaded:
        """Tell of the document after it was loaded."""
        return Loaded(self.vector.encode(), self.size, self.is_whole, self._taken)

    def _apply(self, update: bytes) -> str | None:
        """Apply an update; why Yrs refuses it, if it does: nothing has changed then."""
        try:
            self._doc.apply_update(update)
        except MemoryError:
            raise
        except Exception as error:
            # Yrs keeps a part of an update that it refuses.
            self._make()
            return f"{type(error).__name__}: {error}"
        self._pairs.note(update)
        if self._change is not None or self._pairs.are_divided:
            self._origin.append(update)
            if self._pairs.are_divided and len(self._origin) > _MOST_ORIGINS:
                self._whole()
        return None

    def _reached(self) -> StateVector:
        """The state vector of what was merged."""
        state = self._doc.get_state()
        if self._pairs.are_divided:
            state = pycrdt.get_state(self._whole())
        return StateVector.read(state)

    def _whole(self) -> bytes:
        """The whole document as one update."""
        if not self._pairs.are_divided:
            return self._doc.get_update()
        # Yrs has another document than Yjs. The updates, merged as they came, are right; they only
        # keep the deleted texts.
        self._origin = [pycrdt.merge_updates(*self._origin)]
        return self._origin[0]

    def _changed(self, event: pycrdt.TransactionEvent) -> None:
        # Nothing may keep the event: it belongs to this thread and transaction.
        self._change = event.update

    def merge(self, update: bytes, *, wants_change: bool) -> MergeResult:
        """Merge an update if it is valid, and follows on the document, and is not too large.

        Args:
            update: the update as a client sent it.
            wants_change: whether the result has what it changed. If so, the part that follows
                on the document is merged of an update that does not, or that has holes.

        Raises:
            MemoryError: there is not enough memory.
            BaseException: Yrs has panicked.
        """
        try:
            shape = check(update, may_have_holes=wants_change)
            outcome = MergeOutcome.MERGED
            if shape.has_holes or not self.vector.fits(shape):
                if not wants_change:
                    return MergeResult(MergeOutcome.GAP)
                following = what_follows(update, self.vector)
                update = following.update
                shape = check(update)
                if not following.is_whole:
                    outcome = MergeOutcome.PARTIAL
        except DamagedBytes as error:
            return MergeResult(MergeOutcome.DAMAGED, error=str(error))
        if not self._has_room(update, shape):
            return MergeResult(MergeOutcome.TOO_LARGE)
        refusal = self._apply(update)
        change, self._change = self._change, None
        if refusal is not None:
            return MergeResult(MergeOutcome.DAMAGED, error=refusal)
        if self._pairs.are_divided:
            # Yrs does not know what it changes.
            change = update if shape.deletes or not self.vector.covers(shape) else None
        self.vector.add(shape)
        self.raised.add(shape)
        if change is not None:
            self.size += len(change)
        if change is None or not wants_change:
            return MergeResult(outcome)
        parts = _split(change)
        return MergeResult(outcome, change, parts if len(parts) > 1 else [])

    def _make(self) -> None:
        """Make the document of its updates."""
        self.close()
        self._doc = pycrdt.Doc[Any]()
        self._subscription = self._doc.observe(self._changed)
        for update in self._origin:
            self._doc.apply_update(update)
        self._change = None

    def _has_room(self, update: bytes, shape: Shape) -> bool:
        """Whether the document stays small enough; the size is measured if that is not certain."""
        if self.size + len(update) <= self._max_bytes:
            return True
        self.size = len(self._whole())
        if self.size + len(update) <= self._max_bytes:
            return True
        if self.vector.covers(shape):
            # It only deletes, and what it deletes is taken from the document.
            return self.size <= self._max_bytes
        # Without what the document has already.
        missing = pycrdt.get_update(update, self._doc.get_state())
        return self.size + len(missing) <= self._max_bytes

    def diff(self, vector: bytes) -> list[bytes]:
        """The changes that a client with this state vector lacks, in parts.

        Raises:
            DamagedBytes: the vector is not valid.
        """
        StateVector.read(vector)
        if self._pairs.are_divided:
            return _split(pycrdt.get_update(self._whole(), vector))
        return _split(self._doc.get_update(vector))

    def encode(self) -> Encoded:
        """Encode the document as one update, and read it back."""
        update = self._whole()
        self.size = len(update)
        if self._pairs.are_divided:
            return Encoded(update, self._reached().clocks == self.vector.clocks and self.is_whole)
        copy = pycrdt.Doc[Any]()
        copy.apply_update(update)
        state = self._doc.get_state()
        # The copy may join structs that lie in pieces here, and be shorter. What is deleted is
        # all that an update has which adds nothing.
        is_exact = (
            self.is_whole
            and StateVector.read(copy.get_state()).clocks == self.vector.clocks
            and len(copy.get_update()) <= len(update)
            and len(copy.get_update(state)) == len(self._doc.get_update(state))
        )
        if is_exact:
            self._origin = [update]
        return Encoded(update, is_exact)


def _split(update: bytes) -> list[bytes]:
    """Cut an update of Yrs into parts; one that cannot be cut is one part."""
    try:
        return list(split(update))
    except DamagedBytes:
        return [update]
