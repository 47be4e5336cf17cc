from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import structlog
import trio
from trio.testing import MockClock

from presence_server.presence.bounded_calls import BoundedCalls
from presence_server.presence.callbacks import Callbacks
from presence_server.presence.pending import PendingWrites
from presence_server.presence.ports import Counters, Timing
from presence_server.presence.side_writes import SideWrites
from presence_server.presence.writer import StoreWriter
from presence_server.storage.documents import StoredDocument, StoredRow
from presence_server.storage.errors import StorageError, StorageUnavailable
from presence_server.storage.write_batch import QueueMark
from tests.presence.fakes import T0, DirectBridge, FakeStore, profile, record


def said(logs: Sequence[Mapping[str, object]]) -> list[object]:
    """What an operator reads: the events above debug."""
    return [line["event"] for line in logs if line["log_level"] != "debug"]


class World:
    """A writer over a fake store."""

    def __init__(self, store: FakeStore | None = None) -> None:
        self.store = store or FakeStore()
        self.pending = PendingWrites()
        self.side = SideWrites(lambda: T0)
        self.callbacks = Callbacks()
        self.counters = Counters()
        self.prepares = 0
        self.prepare_error: StorageError | None = None
        self.writer = StoreWriter(
            self.pending,
            self.side,
            self.store,
            BoundedCalls(DirectBridge(), StorageUnavailable, "late"),
            self.callbacks,
            timing=Timing(),
            counters=self.counters,
            prepare=self._prepare,
        )
        self.committed: dict[int, float] = {}
        self.stored: list[tuple[str, int]] = []
        self.side.on_stored = lambda board_id, seq: self.stored.append((board_id, seq))

    async def _prepare(self) -> None:
        await trio.sleep(0.01)
        self.prepares += 1
        if self.prepare_error is not None:
            raise self.prepare_error

    def start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self.callbacks.run)
        nursery.start_soon(self.writer.run)

    def status(self) -> str:
        return self.writer.health.status

    def join(self, number: int) -> None:
        def committed() -> None:
            assert number not in self.committed
            self.committed[number] = trio.current_time()

        self.pending.join(record(number), profile(number), committed)
        self.writer.joined()

    def change(self, update: bytes, *, board_id: str = "b", seq: int = 1) -> None:
        self.side.documents.change(board_id, seq, update)
        self.writer.changed()

    def mark(self, user_id: str, at_ms: int) -> None:
        self.side.marks.add(QueueMark("b", user_id, at_ms))
        self.writer.changed()

    def beat(self, number: int, at_ms: int = T0) -> None:
        self.pending.heartbeat(("b", f"session-{number}"), at_ms)
        self.writer.changed()


async def test_joins_that_arrive_together_share_one_transaction(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    for number in range(100):
        world.join(number)
    await trio.sleep(0.1)
    assert len(world.committed) == 100
    assert len(world.store.batches) == 1


async def test_joins_that_arrive_during_a_commit_share_the_next(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(FakeStore(delay_s=0.1))
    world.start(nursery)
    await trio.sleep(1)
    world.join(0)
    await trio.sleep(0.05)
    for number in range(1, 50):
        world.join(number)
    await trio.sleep(0.3)
    assert [len(batch.inserts) for batch in world.store.batches] == [1, 49]


async def test_a_join_is_committed_before_its_callback(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(FakeStore(delay_s=0.1))
    world.start(nursery)
    await trio.sleep(1)
    world.join(0)
    await trio.sleep(0.09)
    assert world.committed == {}
    await trio.sleep(0.09)
    assert ("b", "session-0") in world.store.rows
    assert list(world.committed) == [0]


async def test_heartbeats_of_many_sessions_are_two_transactions_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    before = world.counters.flushes
    for _ in range(1000):
        for number in range(10):
            world.beat(number)
        await trio.sleep(0.01)
    assert world.counters.flushes - before <= 21


async def test_a_change_is_written_within_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    world.join(0)
    for turn in range(1, 20):
        await trio.sleep(0.37 * (turn % 5))
        world.beat(0, T0 + turn)
        await trio.sleep(1)
        assert world.store.rows["b", "session-0"].last_heartbeat_at == T0 + turn


async def test_an_idle_server_writes_nothing_but_asks_now_and_then(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(60)
    assert world.store.batches == []
    assert 10 <= world.store.pings <= 15


async def test_a_store_that_dies_while_idle_is_noticed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_down = True
    await trio.sleep(6)
    assert world.status() == "down"
    world.store.is_down = False
    await trio.sleep(2)
    assert world.status() == "ok"


async def test_while_the_store_is_down_joins_go_on_and_are_written_when_it_is_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_down = True
    world.join(0)
    await trio.sleep(0.25)
    assert list(world.committed) == [0]
    for number in range(1, 50):
        world.join(number)
        before = trio.current_time()
        await trio.sleep(0.001)
        assert world.committed[number] - before < 0.001
    await trio.sleep(100)
    assert world.store.rows == {}
    world.store.is_down = False
    await trio.sleep(1.5)
    assert len(world.store.rows) == 50
    assert len(world.committed) == 50


async def test_a_change_of_state_is_one_line_in_the_log(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    for number in range(100):
        world.join(number)
    with structlog.testing.capture_logs() as logs:
        await trio.sleep(1)
        for _ in range(3):
            world.store.is_down = True
            for number in range(100):
                world.beat(number)
                await trio.sleep(0.1)
            world.store.is_down = False
            await trio.sleep(2)
    assert (
        said(logs)
        == [
            "the database does not answer",
            "the database answers again",
        ]
        * 3
    )
    assert world.counters.store_failures > 6


async def test_one_lost_connection_is_no_outage(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.lose_next_reply = True
    world.join(0)
    await trio.sleep(0.1)
    assert list(world.committed) == [0]
    assert world.writer.health.changes == 0


async def test_a_frozen_store_is_given_up_and_joins_let_through(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_frozen = True
    world.join(0)
    await trio.sleep(10)
    assert world.status() == "down"
    assert list(world.committed) == [0]
    world.store.is_frozen = False
    await trio.sleep(10)
    assert world.status() == "ok"
    assert len(world.store.rows) == 1


async def test_memory_is_bounded_by_sessions_however_long_the_store_is_away(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    world.store.is_down = True
    for number in range(20):
        world.join(number)
    for turn in range(500):
        for number in range(20):
            world.beat(number, T0 + turn)
        await trio.sleep(1)
    assert len(world.pending) == 20


async def test_a_bad_row_is_dropped_alone_and_its_user_stays(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.store.bad_sessions = {"session-13", "session-77"}
    world.start(nursery)
    with structlog.testing.capture_logs() as logs:
        for number in range(100):
            world.join(number)
        await trio.sleep(5)
    assert len(world.store.rows) == 98
    assert len(world.committed) == 100
    assert world.counters.rows_dropped == 2
    assert said(logs) == ["the database refuses a row"] * 2
    assert len(world.pending) == 0
    assert world.writer.health.changes == 0


async def test_a_bad_update_does_not_hold_up_the_rows_behind_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    for number in range(8):
        world.join(number)
    await trio.sleep(1)
    world.store.bad_sessions = {"session-0"}
    for number in range(8):
        world.pending.update(record(number, status="away"))
        world.writer.changed()
    await trio.sleep(2)
    states = [world.store.rows["b", f"session-{n}"].status for n in range(8)]
    assert states == ["online"] + ["away"] * 7


async def test_a_large_backlog_is_written_in_batches_without_pauses(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    for number in range(9000):
        world.join(number)
    for number in range(9000, 18000):
        world.beat(number)
    world.start(nursery)
    await trio.sleep(1)
    assert len(world.store.rows) == 9000
    assert len(world.pending) == 0
    assert max(len(b.inserts) + len(b.heartbeats) for b in world.store.batches) == 2000


async def test_flush_waits_until_everything_is_written(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(FakeStore(delay_s=0.2))
    world.start(nursery)
    world.join(0)
    world.beat(1)
    await world.writer.flush()
    assert len(world.pending) == 0
    world.store.is_down = True
    world.beat(0)
    with trio.move_on_after(5) as scope:
        await world.writer.flush()
    assert scope.cancelled_caught
    world.store.is_down = False
    with trio.fail_after(2):
        await world.writer.flush()


async def test_the_store_is_prepared_once_before_the_first_write_and_after_an_outage(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.store.is_down = True
    world.start(nursery)
    world.join(0)
    await trio.sleep(5)
    assert world.prepares == 0
    world.store.is_down = False
    await trio.sleep(20)
    assert world.prepares == 1
    world.store.is_down = True
    await trio.sleep(10)
    world.store.is_down = False
    await trio.sleep(10)
    assert world.prepares == 2


@pytest.mark.parametrize("error", [StorageError("rights"), StorageUnavailable("migrating")])
async def test_a_store_that_cannot_be_prepared_counts_as_down(
    autojump_clock: MockClock, nursery: trio.Nursery, error: StorageError
) -> None:
    world = World()
    world.prepare_error = error
    world.start(nursery)
    world.join(0)
    await trio.sleep(5)
    assert world.status() == "down"
    assert list(world.committed) == [0]
    world.prepare_error = None
    await trio.sleep(2)
    assert len(world.store.rows) == 1


async def test_a_callback_that_fails_does_not_stop_the_others(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)

    def broken() -> None:
        raise RuntimeError("room")

    with structlog.testing.capture_logs() as logs:
        world.pending.join(record(0), profile(0), broken)
        world.writer.joined()
        world.join(1)
        await trio.sleep(1)
    assert list(world.committed) == [1]
    assert said(logs) == ["a callback after a commit failed"]


async def test_a_cancelled_writer_keeps_what_it_had_not_written(
    autojump_clock: MockClock,
) -> None:
    world = World(FakeStore(delay_s=1))
    async with trio.open_nursery() as nursery:
        world.start(nursery)
        world.join(0)
        await trio.sleep(1.5)
        nursery.cancel_scope.cancel()
    assert len(world.pending) == 1


async def test_rows_that_are_gone_while_their_sessions_live_are_written_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    lost: list[float] = []
    world.writer.on_rows_lost = lambda: lost.append(trio.current_time())
    world.start(nursery)
    world.join(0)
    await trio.sleep(1)
    with structlog.testing.capture_logs() as logs:
        world.store.rows.clear()
        for turn in range(100):
            world.beat(0, T0 + turn)
            await trio.sleep(0.1)
    # Once, and not with every heartbeat until the rows are back.
    assert len(lost) == 1
    assert said(logs) == ["rows of live sessions are missing in the database"]


async def test_after_an_outage_the_store_may_be_an_older_one(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    lost: list[float] = []
    world.writer.on_rows_lost = lambda: lost.append(trio.current_time())
    world.start(nursery)
    await trio.sleep(1)
    assert lost == []
    world.store.is_down = True
    await trio.sleep(10)
    world.store.is_down = False
    await trio.sleep(3)
    assert len(lost) == 1


async def test_a_store_that_was_replaced_is_prepared_and_filled_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    lost: list[float] = []
    world.writer.on_rows_lost = lambda: lost.append(trio.current_time())
    world.start(nursery)
    await trio.sleep(1)
    prepares = world.prepares
    world.writer.replaced()
    await trio.sleep(6)
    assert (world.prepares, len(lost)) == (prepares + 1, 1)


async def test_places_of_queues_are_written_with_the_joins_and_again_after_a_failure(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_down = True
    world.mark("ada", 1)
    world.mark("ada", 3)
    world.mark("ada", 2)
    world.join(0)
    await trio.sleep(5)
    assert world.store.marks == {}
    world.store.is_down = False
    await world.writer.flush()
    assert world.store.marks == {("b", "ada"): 3}
    first = world.store.batches[0]
    assert [len(first.marks), len(first.inserts)] == [1, 1]


async def test_places_alone_are_written_within_the_interval(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.mark("ada", 1)
    await trio.sleep(0.6)
    assert world.store.marks == {("b", "ada"): 1}


async def test_places_that_the_store_refuses_are_given_up(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.store.bad_users.add("eve")
    world.start(nursery)
    with structlog.testing.capture_logs() as logs:
        world.mark("eve", 1)
        await world.writer.flush()
    assert said(logs) == ["the database refuses places of queues"]
    assert world.status() == "ok"


def document(*changes: bytes, seq: int) -> StoredDocument:
    return StoredDocument(seq, None, [StoredRow(seq, list(changes))])


async def test_the_changes_of_a_flush_are_one_row_in_the_transaction_of_the_sessions(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.join(0)
    await trio.sleep(0.1)
    for seq in (1, 2):
        world.change(b"%d" % seq, seq=seq)
    world.beat(0)
    assert world.stored == []
    await trio.sleep(0.6)
    assert world.stored == [("b", 2)]
    assert world.store.documents_of["b"] == document(b"1", b"2", seq=2)
    assert len(world.store.batches) == 2
    assert world.store.batches[1].heartbeats


async def test_documents_alone_are_written_within_the_interval_and_as_long_as_any_wait(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    for board in ("b", "c", "d"):
        world.change(bytes(6_000_000), board_id=board)
    await trio.sleep(0.6)
    assert [len(batch.documents.updates) for batch in world.store.batches] == [1, 1, 1]
    assert world.stored == [("b", 1), ("c", 1), ("d", 1)]


async def test_documents_wait_for_a_store_that_is_down_and_are_written_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_down = True
    world.change(b"1", seq=1)
    await trio.sleep(5)
    world.change(b"2", seq=2)
    await trio.sleep(5)
    assert world.stored == []
    world.store.is_down = False
    await world.writer.flush()
    await trio.sleep(0.1)
    assert world.stored == [("b", 2)]
    assert world.store.documents_of["b"].updates == [b"1", b"2"]


async def test_a_document_that_the_store_refuses_is_given_up_and_others_are_written(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.bad_documents.add("c")
    world.join(0)
    for board in ("b", "c", "d"):
        world.change(b"1", board_id=board)
    await trio.sleep(1)
    assert set(world.store.documents_of) == {"b", "d"}
    assert set(world.stored) == {("b", 1), ("d", 1)}
    assert (world.status(), world.counters.rows_dropped, list(world.committed)) == ("ok", 1, [0])


async def test_a_lost_reply_does_not_double_a_row(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World()
    world.start(nursery)
    await trio.sleep(1)
    world.store.lose_next_reply = True
    world.change(b"1")
    await trio.sleep(2)
    assert world.store.documents_of["b"] == document(b"1", seq=1)
    assert world.stored == [("b", 1)]


async def test_nobody_is_let_in_between_a_refused_write_and_the_next_that_is_accepted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world, calls = World(), list[str]()
    world.writer.fence.on_refused = lambda: calls.append("refused")
    world.writer.fence.on_accepted = lambda: calls.append("accepted")
    world.writer.fence.on_lost = lambda: calls.append("lost")
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_foreign = True
    world.join(0)
    await trio.sleep(1)
    assert (calls, world.committed) == (["refused"], {})
    world.store.is_foreign = False
    await trio.sleep(2)
    assert calls == ["refused", "accepted"]
    assert list(world.committed) == [0]


async def test_a_store_that_refused_a_write_and_tells_no_owner_in_time_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world, lost = World(), list[float]()
    world.writer.fence.on_lost = lambda: lost.append(trio.current_time())
    world.start(nursery)
    await trio.sleep(1)
    world.store.is_foreign = True
    world.join(0)
    await trio.sleep(0.5)
    world.store.is_down = True
    await trio.sleep(4)
    assert lost == []
    await trio.sleep(3)
    assert lost != []
