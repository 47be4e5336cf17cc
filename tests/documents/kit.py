"""Helper processes and stores for tests of documents, which go with the autojump clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import trio
from trio.testing import memory_stream_pair

from presence_server.core.document_events import (
    DocumentAnswered,
    DocumentEvent,
    DocumentLoaded,
    DocumentMerged,
    DocumentStored,
)
from presence_server.documents.channel import (
    FrameReader,
    Load,
    LoadMore,
    Merge,
    Ready,
    Reply,
    Request,
    read_request,
    to_frame,
)
from presence_server.documents.helper import Helper, HelperProcess
from presence_server.documents.ports import DocumentLimits
from presence_server.documents.service import DocumentService
from presence_server.documents.worker import Worker
from presence_server.presence.ports import Timing
from presence_server.presence.service import PresenceService
from presence_server.waiting import Doorbell
from tests.presence.fakes import T0, DirectBridge, FakeCache, FakeStore

Behaviour = Callable[[Request], Awaitable[Reply | None]]


class FakeProcess(HelperProcess):
    """A helper in this process. ``behaviour`` answers; None ends it."""

    def __init__(self, nursery: trio.Nursery, behaviour: Behaviour, first: bytes | None) -> None:
        self.stream, self._theirs = memory_stream_pair()
        self._behaviour = behaviour
        self._first = first
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        frames = FrameReader()
        with self._scope:
            try:
                if self._first is None:
                    await trio.sleep_forever()
                await self._theirs.send_all(self._first or b"")
                while data := await self._theirs.receive_some(4096):
                    frames.feed(data)
                    while (payload := frames.next_payload()) is not None:
                        reply = await self._behaviour(read_request(payload))
                        if reply is None:
                            return
                        await self._theirs.send_all(to_frame(reply))
            except trio.BrokenResourceError:
                pass
            finally:
                self.ended.set()
                await trio.aclose_forcefully(self._theirs)

    def kill(self) -> None:
        self._scope.cancel()

    async def wait(self) -> int:
        await self.ended.wait()
        return -9 if self._scope.cancel_called else 0


class World:
    """A service of documents over a fake store, with a worker in this process.

    Args:
        nursery: of the test.
        limits: of the service.
        max_bytes: of a document.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        limits: DocumentLimits | None = None,
        *,
        max_bytes: int = 2**24,
    ) -> None:
        self.nursery = nursery
        self.max_bytes = max_bytes
        self.now_ms = T0
        self.asked: list[Request] = []
        self.launches = 0
        self.workers: list[Worker] = []
        self.clock: Callable[[], float] = time.monotonic
        """The clock of the next workers."""
        self.delay_s = 0.0
        """How long the helper takes for a request."""
        self.killers: set[bytes] = set()
        """Updates that end the helper when they are loaded or merged."""
        self.faults: deque[type[Request]] = deque()
        """The next requests of these kinds end the helper, in this order."""
        self.store = FakeStore()
        self.presence = PresenceService(
            self.store,
            FakeCache(),
            DirectBridge(),
            cache_ttl_s=60,
            retention_days=30,
            timing=Timing(),
            now_ms=lambda: self.now_ms,
        )
        self.helper = Helper(self._launch)
        self.service = DocumentService(
            self.presence.documents, self.helper, limits or DocumentLimits()
        )

    async def start(self) -> World:
        await self.nursery.start(self.presence.run)
        await self.nursery.start(self.service.run)
        # The first ping.
        await trio.sleep(0.1)
        return self

    async def _launch(self) -> HelperProcess:
        self.launches += 1
        worker = Worker(self.max_bytes, self.clock)
        self.workers.append(worker)

        async def answer(request: Request) -> Reply | None:
            self.asked.append(request)
            if self.delay_s:
                await trio.sleep(self.delay_s)
            if self.faults and isinstance(request, self.faults[0]):
                self.faults.popleft()
                return None
            if isinstance(request, Load | LoadMore | Merge) and self.killers & set(request.updates):
                return None
            return worker.answer(request)

        return FakeProcess(self.nursery, answer, to_frame(Ready()))

    def asked_of(self, kind: type[Request]) -> int:
        """How many requests of a kind the helper got."""
        return sum(isinstance(request, kind) for request in self.asked)

    def stored(self, board_id: str = "b") -> list[bytes]:
        """The updates in the store."""
        found = self.store.documents_of.get(board_id)
        return [] if found is None else found.updates


class Board:
    """A room, as far as the service knows it."""

    def __init__(self, world: World, board_id: str = "b") -> None:
        self.world = world
        self.board_id = board_id
        self.events: list[DocumentEvent] = []
        self.number = 0
        self._bell = Doorbell()

    def _tell(self, event: DocumentEvent) -> None:
        self.events.append(event)
        self._bell.ring()

    def open(self) -> Board:
        self.world.service.open(self.board_id, self._tell)
        return self

    async def opened(self) -> Board:
        self.open()
        await self.wait_for(DocumentLoaded)
        return self

    def close(self) -> None:
        self.world.service.close(self.board_id)

    def relay(self, update: bytes) -> int:
        self.number += 1
        self.world.service.merge(self.board_id, self.number, update)
        return self.number

    def ask(self, update: bytes) -> int:
        self.number += 1
        self.world.service.merge_and_tell(self.board_id, self.number, update)
        return self.number

    def answer(self, connection: int, vector: bytes = b"\0") -> None:
        self.world.service.answer(self.board_id, connection, vector)

    async def wait_for(self, kind: type[DocumentEvent], count: int = 1) -> None:
        """Wait until so many events of a kind were told."""
        with trio.fail_after(120):
            while len(self.told(kind)) < count:
                await self._bell.wait()

    def told(self, kind: type[DocumentEvent]) -> Sequence[DocumentEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def merged(self) -> list[DocumentMerged]:
        return [event for event in self.events if isinstance(event, DocumentMerged)]

    @property
    def answered(self) -> list[DocumentAnswered]:
        return [event for event in self.events if isinstance(event, DocumentAnswered)]

    @property
    def durable(self) -> int:
        """The last number that is durable."""
        stored = [event for event in self.events if isinstance(event, DocumentStored)]
        return stored[-1].number if stored else 0
