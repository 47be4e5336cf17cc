"""What a room is told of its document, and what is stored of it."""

from __future__ import annotations

from itertools import count

import pytest
import structlog.testing
import trio
from trio.testing import MockClock

from presence_server.core.document_events import (
    AnswerFailed,
    DocumentAnswered,
    DocumentLoaded,
    DocumentMerged,
    DocumentSized,
    DocumentStored,
    MergeOutcome,
)
from presence_server.documents.channel import Diff, Encode, Forget, Load, LoadMore, Merge
from presence_server.documents.ports import DocumentLimits
from tests.documents.kit import Board, World
from tests.documents.yjs import CLAIMS_EVERYTHING, Editor, text_of


async def test_a_board_without_yjs_starts_no_helper(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    await trio.sleep(100)
    assert world.launches == 0
    assert len(world.service) == 0


async def test_a_new_document_is_empty_and_its_changes_are_stored_within_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    board = await Board(world).opened()
    assert board.events == [DocumentLoaded(b"\0", 2)]
    ada = Editor()
    for letter in "hello":
        board.relay(ada.type(letter))
    assert board.durable == 0
    await trio.sleep(1)
    assert board.durable == 5
    assert text_of(*world.stored()) == "hello"
    assert len(world.store.documents_of["b"].rows) == 1


async def test_a_document_comes_back_after_its_board_was_closed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    board.relay(ada.type("hello"))
    board.close()
    await trio.sleep(5)
    assert len(world.service) == 0
    assert world.asked_of(Forget) == 1
    assert world.stored() == [ada.state]
    again = await Board(world).opened()
    assert again.events == [DocumentLoaded(ada.vector, len(ada.state))]


async def test_a_clock_that_is_set_back_loses_no_change_and_keeps_their_order(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    for word in ("one ", "two ", "three "):
        board = await Board(world).opened()
        board.relay(ada.type(word))
        await trio.sleep(1)
        world.now_ms -= 3_600_000  # Snapshots and rows are an hour older than those before them.
        board.relay(ada.type(word))
        board.close()
        await trio.sleep(1)
    assert await world.service.state("b") == ada.state


@pytest.mark.parametrize("is_read", [False, True], ids=["at once", "after the last job"])
async def test_a_board_that_reopens_before_its_last_rows_are_written_finds_them(
    autojump_clock: MockClock, nursery: trio.Nursery, is_read: bool
) -> None:
    world = await World(nursery).start()
    world.store.delay_s = 3
    ada = Editor()
    board = await Board(world).opened()
    board.relay(ada.type("hello"))
    board.close()
    if is_read:
        await trio.sleep(0.2)
        assert len(world.service) == 0
        assert world.stored() == []
    again = await Board(world).opened()
    again.answer(7)
    await again.wait_for(DocumentAnswered)
    assert text_of(*again.answered[0].answer.parts) == "hello"
    # Numbers begin anew, and are not mixed up with those of the first room.
    again.relay(ada.type(" world"))
    await trio.sleep(10)
    assert again.durable == 1
    assert text_of(*world.stored()) == "hello world"


async def test_nothing_is_answered_before_the_store_was_read(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada, bob = Editor(1), Editor(2)
    first = await Board(world).opened()
    first.relay(ada.type("stored "))
    first.close()
    await trio.sleep(3)
    world.store.is_down = True
    board = Board(world).open()
    board.answer(1)
    board.ask(bob.type("typed meanwhile"))
    await trio.sleep(60)
    assert board.events == []
    world.store.is_down = False
    await board.wait_for(DocumentMerged)
    board.answer(2)
    await board.wait_for(DocumentAnswered, 2)
    assert [type(event) for event in board.events[:3]] == [
        DocumentLoaded,
        DocumentAnswered,
        DocumentMerged,
    ]
    assert text_of(*board.answered[0].answer.parts) == "stored "
    both = text_of(*board.answered[1].answer.parts)
    assert sorted(both) == sorted("stored typed meanwhile")
    await trio.sleep(2)
    assert board.durable == 1


async def test_a_board_that_closes_while_the_store_is_down_waits_only_for_changes(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    world.store.is_down = True
    reader, writer = Board(world, "r").open(), Board(world, "w").open()
    reader.answer(1)
    writer.ask(Editor().type("x"))
    await trio.sleep(1)
    reader.close()
    writer.close()
    await trio.sleep(5)
    assert len(world.service) == 1
    world.store.is_down = False
    await trio.sleep(5)
    assert len(world.service) == 0
    assert text_of(*world.stored("w")) == "x"


async def test_changes_during_an_outage_are_stored_after_it_in_their_order(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    world.store.is_down = True
    for letter in "hello":
        board.relay(ada.type(letter))
        await trio.sleep(3)
        # By no clock, which may be set back.
        world.now_ms -= 1_000_000
    assert board.durable == 0
    world.store.is_down = False
    await trio.sleep(3)
    assert board.durable == 5
    assert text_of(*world.stored()) == "hello"


async def test_a_save_that_is_slower_than_the_changes_loses_none(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    world.store.delay_s = 2
    ada = Editor()
    board = await Board(world).opened()
    for _ in range(50):
        board.relay(ada.type("x"))
        await trio.sleep(0.1)
    await trio.sleep(10)
    assert board.durable == 50
    assert text_of(*world.stored()) == "x" * 50
    assert len(world.store.batches) < 10


async def test_what_an_update_changed_is_told_in_order_and_stored(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    first, second = ada.type("hello "), ada.type("world")
    board = await Board(world).opened()
    board.ask(first)
    board.ask(ada.state)
    board.ask(ada.state)
    await board.wait_for(DocumentMerged, 3)
    assert [(e.number, e.outcome, e.update) for e in board.merged] == [
        (1, MergeOutcome.MERGED, first),
        (2, MergeOutcome.MERGED, second),
        (3, MergeOutcome.MERGED, None),
    ]
    assert board.merged[-1].raised == ada.vector
    await trio.sleep(1)
    assert board.durable == 3
    assert text_of(*world.stored()) == "hello world"


async def test_what_does_not_fit_is_named_and_neither_kept_nor_waited_for(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, max_bytes=100).start()
    ada = Editor()
    ada.type("lost")
    board = await Board(world).opened()
    board.ask(ada.type("follows on nothing"))
    board.ask(CLAIMS_EVERYTHING)
    board.ask(Editor(2).type("x" * 200))
    await board.wait_for(DocumentMerged, 3)
    assert [event.outcome for event in board.merged] == [
        MergeOutcome.PARTIAL,
        MergeOutcome.DAMAGED,
        MergeOutcome.TOO_LARGE,
    ]
    assert [event.size for event in board.merged] == [2, 2, 2]
    await trio.sleep(2)
    assert world.stored() == []
    # There is nothing to be stored of them.
    assert board.durable == 3


async def test_a_relayed_change_is_not_durable_before_an_undecided_one_that_came_first(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada, bob = Editor(1), Editor(2)
    board = await Board(world).opened()
    world.delay_s = 5
    board.ask(ada.type("first"))
    board.relay(bob.type("second"))
    await trio.sleep(3)
    assert board.durable == 0
    assert world.stored() == []
    await trio.sleep(6)
    assert board.durable == 2
    assert len(text_of(*world.stored())) == len("firstsecond")


async def test_relayed_changes_are_merged_many_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    for _ in range(100):
        board.relay(ada.type("x"))
        await trio.sleep(0.005)
    await trio.sleep(1)
    assert world.asked_of(Merge) <= 4
    board.answer(1)
    await board.wait_for(DocumentAnswered)
    assert text_of(*board.answered[0].answer.parts) == "x" * 100


async def test_an_answer_holds_every_change_before_it_and_is_computed_once_for_a_version(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    board.relay(ada.type("hello"))
    for connection in (1, 2, 3):
        board.answer(connection)
    behind = ada.vector
    board.relay(ada.type(" world"))
    board.answer(4)
    board.answer(5, behind)
    await board.wait_for(DocumentAnswered, 5)
    answers = [event.answer for event in board.answered]
    assert [event.connection for event in board.answered] == [1, 2, 3, 4, 5]
    assert answers[0] is answers[1] is answers[2]
    assert answers[3] is not answers[0]
    assert text_of(*answers[0].parts) == "hello"
    assert text_of(*answers[3].parts) == "hello world"
    assert text_of(*answers[0].parts, *answers[4].parts) == "hello world"
    assert world.asked_of(Diff) == 3


async def test_a_vector_that_is_damaged_gets_no_answer_and_stops_nobody(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    board = await Board(world).opened()
    board.answer(1, CLAIMS_EVERYTHING)
    board.answer(2)
    await board.wait_for(DocumentAnswered)
    assert [event.connection for event in board.answered] == [2]
    assert board.told(AnswerFailed) == [AnswerFailed(1, CLAIMS_EVERYTHING)]


@pytest.mark.parametrize(
    "limits",
    [DocumentLimits(compact_rows=5), DocumentLimits(compact_bytes=100)],
    ids=["rows", "bytes"],
)
async def test_a_document_is_compacted_when_enough_has_gathered(
    autojump_clock: MockClock, nursery: trio.Nursery, limits: DocumentLimits
) -> None:
    world = await World(nursery, limits).start()
    ada = Editor()
    board = await Board(world).opened()
    for _ in range(20):
        board.relay(ada.type("x" * 5))
        await trio.sleep(1)
    await trio.sleep(2)
    assert 1 < world.asked_of(Encode) < 15
    stored = world.store.documents_of["b"]
    assert stored.snapshot is not None
    assert len(stored.rows) < 8
    assert text_of(*stored.updates) == "x" * 100
    assert board.durable == 20
    sized = board.told(DocumentSized)[-1]
    assert isinstance(sized, DocumentSized)
    assert sized.size == len(stored.snapshot)


async def test_changes_that_arrive_during_a_compaction_keep_their_rows(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, DocumentLimits(compact_rows=3)).start()
    world.delay_s = 0.4
    ada = Editor()
    board = await Board(world).opened()
    for _ in range(40):
        board.relay(ada.type("x"))
        await trio.sleep(0.3)
    await trio.sleep(5)
    assert world.asked_of(Encode) > 1
    assert text_of(*world.stored()) == "x" * 40
    assert board.durable == 40


async def test_a_document_that_does_not_come_back_as_it_was_keeps_its_rows(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, DocumentLimits(compact_rows=2)).start()
    ada = Editor()
    first, second = ada.type("a"), ada.type("b")
    # As another program may have left it: the first change is missing.
    world.presence.documents.change("b", 3, second)
    await trio.sleep(1)
    board = await Board(world).opened()
    board.relay(first)
    await trio.sleep(1)
    board.relay(Editor(2).type("c"))
    await trio.sleep(1)
    board.close()
    await trio.sleep(5)
    assert world.asked_of(Encode) > 0
    assert world.store.documents_of["b"].snapshot is None
    assert len(world.stored()) == 3


async def test_updates_that_find_no_room_are_asked_for_again_and_relayed_ones_are_kept(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, DocumentLimits(queue_bytes=1000)).start()
    ada, bob = Editor(1), Editor(2)
    board = await Board(world).opened()
    world.delay_s = 5
    board.ask(bob.type("y" * 600))
    board.ask(bob.type("z" * 600))
    await board.wait_for(DocumentMerged, 2)
    assert [event.outcome for event in board.merged] == [MergeOutcome.MERGED, MergeOutcome.GAP]
    for _ in range(5):
        board.relay(ada.type("x" * 500))
    await trio.sleep(60)
    board.answer(1)
    await board.wait_for(DocumentAnswered)
    assert len(text_of(*board.answered[0].answer.parts)) == 600 + 2500
    assert board.durable == 7
    assert world.asked_of(Load) == 2


async def full_store(nursery: trio.Nursery) -> World:
    """A service that knows that more is stored than may be."""
    world = World(nursery, DocumentLimits(max_total_bytes=1000, measure_s=60))
    world.presence.documents.change("old", 1, Editor().type("x" * 2000))
    await world.start()
    await trio.sleep(100)
    return world


async def test_with_too_much_stored_a_new_document_may_not_change_and_old_ones_may(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await full_store(nursery)
    old, new = await Board(world, "old").opened(), await Board(world, "new").opened()
    assert [e.may_change for e in old.events if isinstance(e, DocumentLoaded)] == [True]
    assert [e.may_change for e in new.events if isinstance(e, DocumentLoaded)] == [False]


async def test_the_log_says_once_a_minute_that_no_new_document_is_stored(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await full_store(nursery)
    with structlog.testing.capture_logs() as logs:
        for number in range(6):
            await Board(world, f"new {number}").opened()
            await trio.sleep(21)
    said = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["event"] for entry in said] == [
        "no new document is stored: documents.max_total_bytes is reached"
    ] * 2
    assert said[0]["total_bytes"] > 1000


async def test_what_is_undecided_at_the_end_is_given_to_the_store_first(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    board = await Board(world).opened()
    world.delay_s = 0.3
    board.ask(Editor(1).type("asked"))
    board.relay(Editor(2).type("relayed"))
    await world.service.finish()
    await world.presence.flush()
    assert len(text_of(*world.stored())) == len("askedrelayed")


async def test_events_come_in_the_order_of_the_calls(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = Board(world).open()
    board.ask(ada.type("a"))
    board.answer(1)
    board.ask(ada.type("b"))
    board.answer(2)
    await board.wait_for(DocumentAnswered, 2)
    kinds = [type(event) for event in board.events if not isinstance(event, DocumentStored)]
    assert kinds == [
        DocumentLoaded,
        DocumentMerged,
        DocumentAnswered,
        DocumentMerged,
        DocumentAnswered,
    ]


async def test_nothing_is_left_of_hundreds_of_documents_that_were_opened_edited_and_emptied(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    for round_number in range(10):
        boards = [await Board(world, f"b-{round_number}-{n}").opened() for n in range(30)]
        for board in boards:
            board.relay(Editor().type("hello"))
        await trio.sleep(1)
        for board in boards:
            assert board.durable == 1
            board.close()
        await trio.sleep(10)
        assert len(world.service) == 0
    assert world.asked_of(Load) == world.asked_of(Forget) == 300
    assert not world.service._floors
    assert not world.service._deletions
    assert not world.workers[-1]._documents
    assert len(world.workers) == 1


async def test_a_helper_that_is_slow_with_each_change_answers_in_between(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    world.clock = count(0, 2).__next__  # Each change takes seconds.
    await world.start()
    board = await Board(world).opened()
    ada = Editor()
    for letter in "hello":
        board.relay(ada.type(letter))
    board.answer(1)
    await board.wait_for(DocumentAnswered)
    assert text_of(*board.answered[0].answer.parts) == "hello"
    assert world.asked_of(Merge) == 5
    await trio.sleep(2)
    assert board.durable == 5
    world.faults.append(Diff)  # The next helper loads all of it again.
    board.answer(2, ada.vector)
    await board.wait_for(DocumentAnswered, 2)
    assert world.asked_of(LoadMore) == 4
    board.relay(ada.type("!"))
    await trio.sleep(2)
    assert board.durable == 6
    assert text_of(*world.stored()) == "hello!"
