"""One document: the queue of what its room asks for, and the task that works it off.

The order of the queue is the order of the room's calls. A change that the room has relayed is
given to the store at once, unless one before it is not decided yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import trio

from ..core.document_events import DocumentDeleted, DocumentEvent, DocumentLoaded
from ..waiting import Doorbell
from .channel import Forget
from .document import HelperDocument
from .durability import Durability
from .helper import Helper, HelperEnded
from .jobs import AnswerJob, Job, Opening, OpenJob, StateJob, UpdateJob
from .ports import DocumentLimits, DocumentStore


class BoardDocument:
    """The document of one board, from its first opening until it is let go.

    Args:
        board_id: the board.
        document: its number in the helper.
        store: keeps it.
        helper: merges its changes.
        limits: bounds.
        may_be_new: tells whether a document may be stored that is not stored yet.
        floor: the last number of a document of this board that was deleted.
    """

    def __init__(
        self,
        board_id: str,
        document: int,
        store: DocumentStore,
        helper: Helper,
        limits: DocumentLimits,
        may_be_new: Callable[[], bool],
        floor: int = 0,
    ) -> None:
        self.board_id = board_id
        self.is_dead = False
        self._store = store
        self._helper = helper
        self._limits = limits
        self._may_be_new = may_be_new
        self._durability = Durability(board_id, store, limits, floor)
        self._document = HelperDocument(board_id, document, store, helper, limits, self._durability)
        self._jobs: deque[Job] = deque()
        self._queued = 0
        """The bytes of the updates in the queue."""
        self._urgent = 0
        """Jobs in the queue that are no relayed updates: somebody waits for them."""
        self._undecided = 0
        """Updates in the queue that must be merged before it is known what they change."""
        self._opening: Opening | None = None
        self._is_closing = True
        self._bell = Doorbell()
        self._decided = trio.Event()
        self._reading: trio.CancelScope | None = None

    # --- the room's calls -------------------------------------------------------

    def open(self, tell: Callable[[DocumentEvent], None]) -> None:
        """Begin to tell a room of this document."""
        self._opening = Opening(tell, self._opening)
        if self._document.was_loaded:
            self._opening.begin_at(self._durability.seq)
        self._is_closing = False
        self._store.opened(self.board_id)
        self._add(OpenJob(self._opening))

    def close(self) -> None:
        """The room ended: let the document go after the last job, unless it is opened again."""
        self._is_closing = True
        if self._reading is not None and not any(isinstance(j, UpdateJob) for j in self._jobs):
            # Nothing would be lost, so a store that is down is not waited for.
            self._clear()
            self._reading.cancel()
        self._bell.ring()

    def merge(self, number: int, update: bytes, *, is_relayed: bool) -> None:
        """Merge an update of the newest opening."""
        opening = self._opening
        assert opening is not None
        opening.last_number = number
        has_room = self._queued + len(update) <= self._limits.queue_bytes
        job = UpdateJob(opening, number, update, is_relayed=is_relayed)
        if not is_relayed:
            self._undecided += 1
            if not has_room:
                # It is answered as a gap, and its sender is asked for it again.
                job.update = None
        elif not self._undecided:
            self._durability.note(job, update)
            self._durability.tell(opening)
            if not has_room:
                self._leave_to_store()
                return
        self._add(job)

    def answer(self, connection: int, vector: bytes) -> None:
        """Compute what a client of the newest opening lacks."""
        assert self._opening is not None
        self._add(AnswerJob(self._opening, connection, vector))

    def ask_state(self) -> StateJob:
        """Have the whole document encoded; ``done`` is set when it is."""
        job = StateJob()
        self._add(job)
        return job

    def stored(self, seq: int) -> float | None:
        """Note that the changes up to a number are durable.

        Args:
            seq: the number.

        Returns:
            How many seconds the first of them had waited; None if none did.
        """
        if self.is_dead:
            return None
        waited = self._durability.stored(seq)
        self._durability.tell(self._opening)
        if self._durability.wants_compaction:
            self._bell.ring()
        return waited

    def die(self) -> None:
        """Forget everything: the document is deleted, or its task has crashed."""
        self.is_dead = True
        self._clear()
        self._decided.set()
        self._bell.ring()
        if self._reading is not None:
            self._reading.cancel()
        self._durability.stop()
        if self._opening is not None:
            self._opening.tell(DocumentDeleted())
            self._opening.tell = _ignore

    @property
    def has_data(self) -> bool:
        """Whether the document is known to have content."""
        return self._durability.has_data

    @property
    def last_seq(self) -> int:
        """The largest number that was given so far."""
        opening = self._opening
        if opening is None or opening.base is None:
            return self._durability.seq
        return max(self._durability.seq, opening.base + opening.last_number)

    async def decided(self) -> None:
        """Wait until every update so far was given to the store, or is known to change nothing."""
        while self._undecided and not self.is_dead:
            self._decided = trio.Event()
            await self._decided.wait()

    def _add(self, job: Job) -> None:
        self._jobs.append(job)
        if isinstance(job, UpdateJob):
            self._queued += job.size
        self._urgent += not _is_relayed(job)
        self._bell.ring()

    def _clear(self) -> None:
        for job in self._jobs:
            if isinstance(job, StateJob):
                job.done.set()
        self._jobs.clear()
        self._queued = self._urgent = self._undecided = 0

    def _leave_to_store(self) -> None:
        """Forget the relayed updates that wait for the helper: it reads them from the store."""
        self._document.is_loaded = False
        self._jobs = deque(
            job for job in self._jobs if not isinstance(job, UpdateJob) or not job.is_noted
        )
        self._queued = sum(job.size for job in self._jobs if isinstance(job, UpdateJob))
        self._bell.ring()

    # --- the task ---------------------------------------------------------------

    async def run(self) -> None:
        """Work the queue off, until the document is let go or :meth:`die` was called."""
        while not self.is_dead:
            try:
                if await self._step():
                    return
            except HelperEnded:
                self._document.is_loaded = False
        await self._forget()

    async def _step(self) -> bool:
        """Do one thing; returns whether the document was let go."""
        jobs, document, durability = self._jobs, self._document, self._durability
        if not jobs and not self._is_closing and not durability.wants_compaction:
            await self._bell.wait()
        elif not jobs and self._is_closing and not document.is_loaded:
            return True
        elif not document.is_loaded:
            await self._load()
        elif durability.wants_compaction or (not jobs and durability.has_rows):
            await document.compact(self._opening)
        elif jobs:
            await self._work(jobs[0])
        else:
            await self._forget()
        return False

    async def _load(self) -> None:
        with trio.CancelScope() as self._reading:
            stored = await self._document.read()
        self._reading = None
        if self.is_dead or (not self._jobs and self._is_closing):
            return
        await self._document.load(stored)
        if self._opening is not None:
            self._opening.begin_at(self._durability.seq)

    async def _work(self, job: Job) -> None:
        match job:
            case OpenJob():
                self._end(job)
                may_change = self.has_data or self._may_be_new()
                document = self._document
                job.opening.tell(DocumentLoaded(document.vector, document.size, may_change))
            case AnswerJob():
                await self._document.answer(job)
                self._end(job)
            case StateJob():
                await self._document.give_state(job)
                self._end(job)
            case UpdateJob() if job.is_relayed:
                await self._gather()
                await self._merge_relayed()
            case UpdateJob():
                await self._document.merge_and_tell(job)
                self._end(job)
                self._decide()

    async def _gather(self) -> None:
        """Let relayed updates wait for others, since nobody waits for them."""
        with trio.move_on_after(self._limits.gather_s):
            while not self._urgent and self._queued < self._limits.gather_bytes:
                if self._is_closing or self.is_dead or self._durability.wants_compaction:
                    return
                await self._bell.wait()

    async def _merge_relayed(self) -> None:
        """Merge the relayed updates at the front of the queue."""
        batch: list[UpdateJob] = []
        for job in self._jobs:
            if not isinstance(job, UpdateJob) or not job.is_relayed:
                break
            batch.append(job)
            if len(batch) >= self._document.merges_at_once:
                break
        if batch and self._document.is_loaded:
            for job in await self._document.merge(batch):
                self._end(job)

    def _decide(self) -> None:
        """One undecided update less: the relayed ones up to the next go to the store."""
        if self.is_dead:
            return
        self._undecided -= 1
        for job in self._jobs:
            if isinstance(job, UpdateJob):
                if not job.is_relayed:
                    break
                if not job.is_noted:
                    self._durability.note(job, job.update)
        self._durability.tell(self._opening)
        if not self._undecided:
            self._decided.set()

    def _end(self, job: Job) -> None:
        # The queue may have been cleared meanwhile.
        if self._jobs and self._jobs[0] is job:
            self._jobs.popleft()
            self._urgent -= not _is_relayed(job)
            if isinstance(job, UpdateJob):
                self._queued -= job.size

    async def _forget(self) -> None:
        if self._document.is_loaded:
            self._document.is_loaded = False
            with suppress(HelperEnded):
                await self._helper.call(Forget(self._document.number), self._document.generation)


def _ignore(_event: DocumentEvent) -> None:
    """The room has heard already that the document is gone."""


def _is_relayed(job: Job) -> bool:
    return isinstance(job, UpdateJob) and job.is_relayed
