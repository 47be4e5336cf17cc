"""One document in the helper process: loaded, merged into, asked, encoded."""

from __future__ import annotations

import structlog

from ..core.document_events import (
    AnswerFailed,
    DocumentAnswer,
    DocumentAnswered,
    DocumentMerged,
    DocumentSized,
    MergeOutcome,
    UpdateSetAside,
)
from ..core.yjs.vector import EMPTY_VECTOR, StateVector
from ..storage.documents import StoredDocument
from .channel import Diff, Encode, Encoded, Merge, Merged, MergeResult, Parts
from .durability import Durability
from .faults import Faults
from .helper import Helper, HelperEnded, RequestFailed
from .jobs import AnswerJob, Opening, StateJob, UpdateJob
from .loading import Loader
from .ports import DocumentLimits, DocumentStore

log = structlog.get_logger(__name__)

_MAX_ANSWERS = 64
_MAX_TRIES = 2
_MERGES_AT_ONCE = 500


class HelperDocument:
    """A document in the helper. Each method that waits may raise :class:`.helper.HelperEnded`.

    After that the document must be loaded again, and the call made again.

    Args:
        board_id: the board.
        number: the document's number in the helper.
        store: where it is loaded from.
        helper: the process.
        limits: bounds.
        durability: keeps what changes.

    Attributes:
        is_loaded: whether it is in the helper.
        was_loaded: whether it ever was.
        generation: of the helper that it is in.
        size: its length as one update, in bytes, or more.
    """

    def __init__(
        self,
        board_id: str,
        number: int,
        store: DocumentStore,
        helper: Helper,
        limits: DocumentLimits,
        durability: Durability,
    ) -> None:
        self.number = number
        self.is_loaded = self.was_loaded = False
        self.generation = 0
        self.size = 0
        self._vector, self._raised = EMPTY_VECTOR, StateVector()
        self._board_id = board_id
        self._helper = helper
        self._durability = durability
        self._faults = Faults(board_id)
        self._loader = Loader(board_id, number, store, helper, self._faults, limits)
        self._applied = durability.seq
        """The number of the last update that the helper has."""
        self._alone = 0
        """So many updates are merged one by one: the helper ended while it merged them."""
        self._tries = 0
        """How often the helper ended in a row while it did something else than merging."""
        self._answers: dict[bytes, DocumentAnswer] = {}
        self._stored_is_whole = True

    async def read(self) -> StoredDocument:
        """Read the document, and wait for a store that is down."""
        return await self._loader.read()

    async def load(self, stored: StoredDocument) -> None:
        """Make the document of what is stored."""
        loaded, self.generation = await self._loader.load(stored)
        self.is_loaded = self.was_loaded = True
        self._vector, self._raised = loaded.vector, StateVector()
        self.size = loaded.size
        self._answers.clear()
        self._stored_is_whole = stored.is_whole
        size = sum(len(update) for row in stored.rows for update in row.updates)
        self._durability.begin(stored.seq, len(stored.rows), size, has_data=stored.exists)
        self._applied = max(self._applied, stored.seq)

    @property
    def vector(self) -> bytes:
        """Its state vector."""
        if self._raised.clocks:
            vector = StateVector.read(self._vector)
            vector.raise_to(self._raised)
            self._vector, self._raised = vector.encode(), StateVector()
        return self._vector

    @property
    def merges_at_once(self) -> int:
        """How many updates :meth:`merge` takes at most."""
        return 1 if self._alone else _MERGES_AT_ONCE

    async def merge(self, jobs: list[UpdateJob]) -> list[UpdateJob]:
        """Merge updates that were relayed; returns the first of them, for which there was time."""
        aside = [job for job in jobs if self._is_set_aside(job)]
        rest = [job for job in jobs if job not in aside]
        if rest:
            merged = await self._call_merge(rest, wants_changes=False)
            self._answers.clear()
            done = len(merged.results)
            if done < len(rest):
                jobs = jobs[: jobs.index(rest[done])]
                aside = [job for job in aside if job in jobs]
            for job, result in zip(rest[:done], merged.results, strict=True):
                if result.outcome is not MergeOutcome.MERGED:
                    assert job.update is not None
                    self._faults.set_aside(job.update)
                    self._set_aside(job, result)
        for job in aside:
            self._set_aside(job)
        self._alone = max(0, self._alone - len(jobs))
        self._applied = max(self._applied, jobs[-1].seq)
        return jobs

    async def merge_and_tell(self, job: UpdateJob) -> None:
        """Merge an update that was not relayed, keep what it changed, and tell of it."""
        if job.update is None:
            self._tell_merged(job, MergeResult(MergeOutcome.GAP))
        elif self._is_set_aside(job):
            self._tell_merged(job, MergeResult(MergeOutcome.DAMAGED))
            self._set_aside(job)
        else:
            merged = await self._call_merge([job], wants_changes=True)
            result = merged.results[0]
            if result.change is not None:
                self._answers.clear()
            self._applied = max(self._applied, job.seq)
            self._tell_merged(job, result, merged.raised)

    def _is_set_aside(self, job: UpdateJob) -> bool:
        return job.update is not None and self._faults.is_set_aside(job.update)

    def _tell_merged(
        self, job: UpdateJob, result: MergeResult, raised: bytes = EMPTY_VECTOR
    ) -> None:
        if result.outcome is MergeOutcome.DAMAGED:
            log.debug("an update is damaged", board=self._board_id, error=result.error)
        self._durability.note(job, result.change)
        job.opening.tell(
            DocumentMerged(
                job.number,
                result.outcome,
                result.change,
                raised,
                self.size,
                tuple(result.parts),
            )
        )

    async def _call_merge(self, jobs: list[UpdateJob], *, wants_changes: bool) -> Merged:
        updates = [job.update for job in jobs if job.update is not None]
        try:
            reply = await self._helper.call(
                Merge(self.number, updates, wants_changes), self.generation
            )
        except HelperEnded as error:
            if error.was_working:
                # The updates that were relayed are in the store, too.
                self._loader.is_careful = True
                self._alone = len(jobs)
                if len(jobs) == 1:
                    self._faults.blame(updates[0])
            raise
        assert isinstance(reply, Merged)
        self._raised.raise_to(StateVector.read(reply.raised))
        self.size = reply.size
        return reply

    def _set_aside(self, job: UpdateJob, result: MergeResult | None = None) -> None:
        if result is not None:
            log.error(
                "the helper process refuses an update that the room has relayed",
                board=self._board_id,
                outcome=result.outcome.value,
                error=result.error,
            )
        if job.is_relayed:
            self._durability.compact_soon()
        job.opening.tell(UpdateSetAside(job.number, self.vector))

    async def answer(self, job: AnswerJob) -> None:
        """Tell what a client lacks; clients that lack the same get the same object."""
        answer = self._answers.get(job.vector)
        if answer is None:
            try:
                reply = await self._helper.call(Diff(self.number, job.vector), self.generation)
            except HelperEnded as error:
                if self._may_try_again(error):
                    raise
                job.opening.tell(AnswerFailed(job.connection, job.vector))
                return
            except RequestFailed as error:
                log.debug("no answer", board=self._board_id, error=str(error))
                job.opening.tell(AnswerFailed(job.connection, job.vector))
                return
            assert isinstance(reply, Parts)
            self._tries = 0
            answer = DocumentAnswer(tuple(reply.parts))
            if len(self._answers) >= _MAX_ANSWERS:
                del self._answers[next(iter(self._answers))]
            self._answers[job.vector] = answer
        job.opening.tell(DocumentAnswered(job.connection, answer))

    async def give_state(self, job: StateJob) -> None:
        """Give the whole document, if it has any content."""
        if self._durability.has_data:
            encoded = await self._encode()
            job.update = None if encoded is None else encoded.update
        job.done.set()

    async def compact(self, opening: Opening | None) -> None:
        """Keep the whole document in place of its changes, if it comes back as it was.

        A row that could not be read stays in the store, and may be repaired there.
        """
        seq = self._applied
        encoded = await self._encode() if self._stored_is_whole else None
        if encoded is None or not encoded.is_exact:
            log.error("a document cannot be compacted", board=self._board_id)
            self._durability.compacting_failed()
            return
        self.size = len(encoded.update)
        self._durability.compacted(seq, encoded.update)
        if opening is not None and opening.base is not None and seq >= opening.base:
            opening.tell(DocumentSized(seq - opening.base, self.size))

    async def _encode(self) -> Encoded | None:
        try:
            reply = await self._helper.call(Encode(self.number), self.generation)
        except HelperEnded as error:
            if self._may_try_again(error):
                raise
            return None
        assert isinstance(reply, Encoded)
        self._tries = 0
        return reply

    def _may_try_again(self, error: HelperEnded) -> bool:
        """Whether to try again after the helper ended; if not, the document is to be loaded."""
        self._tries += error.was_working
        if self._tries < _MAX_TRIES:
            return True
        log.error("a document ends the helper process", board=self._board_id)
        self._tries = 0
        self.is_loaded = False
        return False
