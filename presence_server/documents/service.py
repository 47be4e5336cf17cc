"""The service of documents: one entry for each board that uses Yjs, and one helper process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import structlog
import trio
from typing_extensions import override

from ..core.document_events import DocumentEvent, DocumentMerged, MergeOutcome
from ..rooms.ports import Documents
from ..storage.errors import StorageError, StorageUnavailable
from .board import BoardDocument
from .helper import Helper
from .ports import DocumentLimits, DocumentStore

log = structlog.get_logger(__name__)

_DELETED_WITHIN_S = 5.0
_STATE_WITHIN_S = 10.0
_UNUSED_BATCH = 100
_COMPLAIN_S = 60.0


class DocumentService(Documents):
    """Keeps the documents of all boards.

    Args:
        store: where they outlive their boards.
        helper: merges their changes; it starts with the first board that uses Yjs.
        limits: bounds.
        let_go: called with a board whose document nobody uses any more.
    """

    def __init__(
        self,
        store: DocumentStore,
        helper: Helper,
        limits: DocumentLimits,
        let_go: Callable[[str], None] = lambda _board_id: None,
    ) -> None:
        self._store = store
        self._helper = helper
        self._limits = limits
        self._let_go = let_go
        self.owns: Callable[[str], bool] = lambda _board_id: True
        """Tells whether a board belongs to this process; all do, if there is only one."""
        self.on_waited: Callable[[float], None] = lambda _seconds: None
        """Called for each flush of a document with the seconds that its first change waited."""
        self._boards: dict[str, BoardDocument] = {}
        self._numbers = count(1)
        self._floors: dict[str, int] = {}
        """By board: the last number of a document whose deletion is not stored yet."""
        self._deletions: dict[str, trio.Event] = {}
        self._nursery: trio.Nursery | None = None
        self.total_bytes = 0
        """The size of all stored documents when it was last measured."""
        self.updates = 0
        """Changes that rooms gave to the service."""
        self.updates_refused = 0
        """Those of them that were not taken whole: with a hole, damaged, or too large."""
        self._complained_at = -_COMPLAIN_S
        store.on_stored(self._stored)

    def __len__(self) -> int:
        return len(self._boards)

    @property
    def helper_restarts(self) -> int:
        """How often the helper process ended by itself."""
        return self._helper.restarts

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled. Call :meth:`finish` before that."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                while True:
                    await self._measure()
                    await trio.sleep(self._limits.measure_s)
        finally:
            self._nursery = None
            with trio.CancelScope(shield=True):
                await self._helper.aclose()

    async def finish(self) -> None:
        """Wait until every update so far was given to the store, or changed nothing."""
        for board in list(self._boards.values()):
            await board.decided()

    # --- rooms ------------------------------------------------------------------

    @override
    def open(self, board_id: str, tell: Callable[[DocumentEvent], None]) -> None:
        log.debug("a document is opened", board=board_id)
        self._board(board_id).open(partial(self._tell, tell))

    @override
    def merge(self, board_id: str, number: int, update: bytes) -> None:
        if (board := self._boards.get(board_id)) is not None:
            self.updates += 1
            board.merge(number, update, is_relayed=True)

    @override
    def merge_and_tell(self, board_id: str, number: int, update: bytes) -> None:
        if (board := self._boards.get(board_id)) is not None:
            self.updates += 1
            board.merge(number, update, is_relayed=False)

    @override
    def answer(self, board_id: str, connection: int, vector: bytes) -> None:
        if (board := self._boards.get(board_id)) is not None:
            board.answer(connection, vector)

    @override
    def close(self, board_id: str) -> None:
        if (board := self._boards.get(board_id)) is not None:
            board.close()

    # --- the web ----------------------------------------------------------------

    async def state(self, board_id: str) -> bytes | None:
        """The document of a board as one update; None if it has none.

        Raises:
            StorageError: the store cannot be read.
        """
        board = self._boards.get(board_id)
        if board is None and not await self._store.exists(board_id):
            return None
        job = self._board(board_id).ask_state()
        with trio.move_on_after(_STATE_WITHIN_S):
            await job.done.wait()
            return job.update
        raise StorageUnavailable("the document cannot be read in time")

    async def delete(self, board_id: str) -> bool:
        """Delete the document of a board, and close those who use it.

        Returns:
            False if there was none.

        Raises:
            StorageError: the store cannot be read, or does not confirm the deletion in time; it
                is deleted all the same.
        """
        board = self._boards.get(board_id)
        if board is None or not board.has_data:
            if not await self._store.exists(board_id):
                return False
            board = self._boards.get(board_id)
        deleted = self._deletions.setdefault(board_id, trio.Event())
        self._delete_now(board_id)
        with trio.move_on_after(_DELETED_WITHIN_S) as patience:
            await deleted.wait()
        if patience.cancelled_caught:
            raise StorageUnavailable("the database does not answer in time")
        return True

    async def delete_unused(self, now_ms: int) -> int:
        """Delete the documents of boards that nobody opened for too long; returns how many.

        Args:
            now_ms: the wall clock, in milliseconds since the epoch.

        Raises:
            StorageError: the store cannot be read.
        """
        if not self._limits.retention_ms:
            return 0
        before_ms = now_ms - self._limits.retention_ms
        deleted, after = 0, ""
        while unused := await self._store.unused_since(before_ms, _UNUSED_BATCH, after):
            for board_id in unused:
                if board_id not in self._boards and self.owns(board_id):
                    await self._delete_and_wait(board_id)
                    deleted += 1
            after = unused[-1]
        return deleted

    async def _delete_and_wait(self, board_id: str) -> None:
        deleted = self._deletions.setdefault(board_id, trio.Event())
        self._delete_now(board_id)
        await deleted.wait()

    def _delete_now(self, board_id: str) -> None:
        board = self._boards.pop(board_id, None)
        if board is not None:
            self._floors[board_id] = board.last_seq
            board.die()
        self._store.delete(board_id)

    def _tell(self, tell: Callable[[DocumentEvent], None], event: DocumentEvent) -> None:
        if isinstance(event, DocumentMerged) and event.outcome is not MergeOutcome.MERGED:
            self.updates_refused += 1
        tell(event)

    # --- inside -----------------------------------------------------------------

    def _board(self, board_id: str) -> BoardDocument:
        board = self._boards.get(board_id)
        if board is None:
            if self._nursery is None:
                raise RuntimeError("the service of documents is not running")
            board = self._boards[board_id] = BoardDocument(
                board_id,
                next(self._numbers),
                self._store,
                self._helper,
                self._limits,
                self._may_be_new,
                self._floors.get(board_id, 0),
            )
            self._nursery.start_soon(self._run, board, name=f"document {board_id}")
        return board

    async def _run(self, board: BoardDocument) -> None:
        try:
            await board.run()
        except Exception:
            log.exception("the task of a document crashed", board=board.board_id)
            board.die()
        if self._boards.get(board.board_id) is board:
            del self._boards[board.board_id]
            self._let_go(board.board_id)

    def _stored(self, board_id: str, seq: int) -> None:
        # Rows that were under way when the document was deleted come first.
        if seq < 0 or seq > self._floors.get(board_id, 0):
            self._floors.pop(board_id, None)
            if (deleted := self._deletions.pop(board_id, None)) is not None:
                deleted.set()
        if (board := self._boards.get(board_id)) is not None:
            waited_s = board.stored(seq)
            if waited_s is not None:
                self.on_waited(waited_s)

    def _may_be_new(self) -> bool:
        if self.total_bytes < self._limits.max_total_bytes:
            return True
        now = trio.current_time()
        if now >= self._complained_at + _COMPLAIN_S:
            self._complained_at = now
            log.error(
                "no new document is stored: documents.max_total_bytes is reached",
                total_bytes=self.total_bytes,
            )
        return False

    async def _measure(self) -> None:
        try:
            self.total_bytes = await self._store.total_bytes()
        except StorageError as error:
            log.debug("the documents cannot be measured now", error=str(error))
