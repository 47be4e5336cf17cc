"""Brings a document from the store into the helper process."""

from __future__ import annotations

import structlog
import trio

from ..core.document_events import MergeOutcome
from ..core.yjs.vector import StateVector
from ..storage.documents import StoredDocument
from ..storage.errors import StorageError
from .channel import Load, Loaded, LoadMore, Merge, Merged
from .faults import Faults
from .helper import Helper, HelperEnded
from .ports import DocumentLimits, DocumentStore

log = structlog.get_logger(__name__)

_SNAPSHOT_TRIES = 2
_SNAPSHOT_PAUSE_S = 60.0
_LOADED_AT_ONCE = 500


class Loader:
    """Loads one document, as often as the helper process is replaced.

    A document that ends the helper is loaded one change at a time, to find the change.

    Args:
        board_id: the board.
        document: its number in the helper.
        store: has the document.
        helper: the process.
        faults: which changes are left out.
        limits: the pauses while the store cannot be read.

    Attributes:
        is_careful: whether the changes are loaded one by one the next time, to find the one that
            ends the helper.
    """

    def __init__(
        self,
        board_id: str,
        document: int,
        store: DocumentStore,
        helper: Helper,
        faults: Faults,
        limits: DocumentLimits,
    ) -> None:
        self._board_id = board_id
        self._document = document
        self._store = store
        self._helper = helper
        self._faults = faults
        self._limits = limits
        self.is_careful = False
        self._snapshot_ends = 0

    async def read(self) -> StoredDocument:
        """Read the document, and wait for a store that is down."""
        pause_s = self._limits.retry_first_s
        while True:
            try:
                return await self._store.load(self._board_id)
            except StorageError as error:
                log.debug("a document cannot be read now", board=self._board_id, error=str(error))
            await trio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._limits.retry_longest_s)

    async def load(self, stored: StoredDocument) -> tuple[Loaded, int]:
        """Make the document of what is stored.

        Returns:
            What it is now, and the generation of the helper that it is in.

        Raises:
            HelperEnded: the helper ended; read the store again, and call this again.
        """
        changes = [
            update
            for row in stored.rows
            for update in row.updates
            if not self._faults.is_set_aside(update)
        ]
        if self.is_careful:
            return await self._load_one_by_one(stored.snapshot, changes)
        try:
            return await self._load_in_slices(stored.snapshot, changes)
        except HelperEnded as error:
            self.is_careful = error.was_working
            raise

    async def _load_in_slices(
        self, snapshot: bytes | None, changes: list[bytes]
    ) -> tuple[Loaded, int]:
        request: Load | LoadMore = Load(self._document, snapshot, changes[:_LOADED_AT_ONCE])
        reply = await self._helper.call(request)
        generation, taken = self._helper.generation, 0
        assert isinstance(reply, Loaded)
        while (taken := taken + reply.taken) < len(changes):
            request = LoadMore(self._document, changes[taken : taken + _LOADED_AT_ONCE])
            reply = await self._helper.call(request, generation)
            assert isinstance(reply, Loaded)
        return reply, generation

    async def _load_one_by_one(
        self, snapshot: bytes | None, changes: list[bytes]
    ) -> tuple[Loaded, int]:
        if self._snapshot_ends >= _SNAPSHOT_TRIES:
            log.error("a stored document ends the helper process", board=self._board_id)
            self._snapshot_ends = 0
            await trio.sleep(_SNAPSHOT_PAUSE_S)
        try:
            loaded = await self._helper.call(Load(self._document, snapshot, []))
        except HelperEnded as error:
            self._snapshot_ends += error.was_working
            raise
        assert isinstance(loaded, Loaded)
        generation = self._helper.generation
        vector, size = StateVector.read(loaded.vector), loaded.size
        for change in changes:
            try:
                merged = await self._helper.call(
                    Merge(self._document, [change], wants_changes=False), generation
                )
            except HelperEnded as error:
                if error.was_working:
                    self._faults.blame(change)
                raise
            assert isinstance(merged, Merged)
            vector.raise_to(StateVector.read(merged.raised))
            size = merged.size
            if merged.results[0].outcome is not MergeOutcome.MERGED:
                log.error("a stored change is left out", board=self._board_id)
        self.is_careful = False
        return Loaded(vector.encode(), size, loaded.is_whole, len(changes)), generation
