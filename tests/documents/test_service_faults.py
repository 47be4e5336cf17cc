"""What the service does when the helper ends, when an update ends it, and on deletions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import structlog
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from presence_server.core.document_events import (
    AnswerFailed,
    DocumentAnswered,
    DocumentDeleted,
    DocumentLoaded,
    DocumentMerged,
    MergeOutcome,
    UpdateSetAside,
)
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.documents.channel import Diff, Encode, Load, Merge, Request
from presence_server.documents.memory_store import MemoryDocuments
from presence_server.documents.ports import DocumentLimits
from presence_server.documents.service import DocumentService
from presence_server.storage.errors import StorageUnavailable
from tests.documents.kit import Board, World
from tests.documents.yjs import Editor, text_of
from tests.presence.fakes import T0

DAY_MS = 86_400_000


async def text(board: Board) -> str:
    """The document as a new client gets it."""
    count = len(board.answered) + 1
    board.answer(99)
    await board.wait_for(DocumentAnswered, count)
    return text_of(*board.answered[-1].answer.parts)


@pytest.mark.parametrize("kind", [Load, Merge, Diff, Encode])
async def test_a_helper_that_ends_is_replaced_and_the_board_goes_on(
    autojump_clock: MockClock, nursery: trio.Nursery, kind: type[Request]
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    board.relay(ada.type("a"))
    await trio.sleep(1)
    world.faults.append(kind)
    if kind is Load:
        world.faults.appendleft(Merge)
    board.relay(ada.type("b"))
    board.ask(ada.type("c"))
    assert await text(board) == "abc"
    assert [event.outcome for event in board.merged] == [MergeOutcome.MERGED]
    board.close()
    await trio.sleep(5)
    assert world.helper.restarts == (2 if kind is Load else 1)
    assert len(board.told(DocumentLoaded)) == 1
    assert text_of(*world.stored()) == "abc"
    # A board that is about to be let go is not loaded again to be compacted.
    assert (not world.store.documents_of["b"].rows) == (kind is not Encode)


async def test_all_boards_get_their_documents_back_after_the_helper_ended(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    editors = [Editor(number) for number in range(1, 6)]
    boards = [await Board(world, f"board-{editor.doc.client_id}").opened() for editor in editors]
    for board, editor in zip(boards, editors, strict=True):
        board.relay(editor.type(board.board_id))
    await trio.sleep(1)
    process = world.helper._process
    assert process is not None
    process.kill()
    for board, editor in zip(boards, editors, strict=True):
        board.relay(editor.type("!"))
    assert [await text(board) for board in boards] == [f"{board.board_id}!" for board in boards]
    assert world.launches == 2


async def test_relaying_and_storing_go_on_while_the_helper_hangs(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    world.delay_s = 1000
    board.relay(ada.type("a"))
    await trio.sleep(1)
    board.relay(ada.type("b"))
    await trio.sleep(1)
    assert board.durable == 2
    assert text_of(*world.stored()) == "ab"
    world.delay_s = 0
    assert await text(board) == "ab"
    assert world.helper.restarts == 1


@pytest.mark.parametrize("is_relayed", [False, True], ids=["asked", "relayed"])
async def test_an_update_that_ends_the_helper_twice_is_set_aside(
    autojump_clock: MockClock, nursery: trio.Nursery, is_relayed: bool
) -> None:
    world = await World(nursery).start()
    ada, eve = Editor(1), Editor(2)
    board = await Board(world).opened()
    board.relay(ada.type("before"))
    await trio.sleep(1)
    killer = eve.type("killer")
    world.killers.add(killer)
    with structlog.testing.capture_logs() as logs:
        number = board.relay(killer) if is_relayed else board.ask(killer)
        board.relay(ada.type(" after"))
        await board.wait_for(UpdateSetAside)
        assert board.told(UpdateSetAside)[0].number == number  # type: ignore[union-attr]
        assert await text(board) == "before after"
    ends = world.helper.restarts
    # Updates that were merged at once have one end more, to find the one of them.
    assert ends == (3 if is_relayed else 2)
    assert "an update is set aside, since it ended the helper process twice" in [
        line["event"] for line in logs
    ]
    if not is_relayed:
        assert [event.outcome for event in board.merged] == [MergeOutcome.DAMAGED]
    # It is not in the store any more, so a later start is not ended by it.
    await trio.sleep(5)
    assert killer not in world.stored()
    assert text_of(*world.stored()) == "before after"
    board.close()
    await trio.sleep(5)
    assert await text(await Board(world).opened()) == "before after"
    assert world.helper.restarts == ends


async def test_a_stored_change_that_ends_the_helper_is_found_and_left_out(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada, eve = Editor(1), Editor(2)
    killer = eve.type("killer")
    for seq, change in enumerate([ada.type("a"), killer, ada.type("b")], 1):
        world.presence.documents.change("b", seq, change)
    await trio.sleep(1)
    world.killers.add(killer)
    board = await Board(world).opened()
    assert await text(board) == "ab"
    assert world.helper.restarts == 3


async def test_a_stored_snapshot_that_ends_the_helper_is_tried_again_only_now_and_then(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    world.presence.documents.snapshot("b", 1, Editor().type("x"))
    await trio.sleep(1)
    board = Board(world).open()
    world.faults.extend([Load] * 8)
    good = await Board(world, "good").opened()
    await trio.sleep(300)
    assert board.events == [] or len(board.told(DocumentLoaded)) == 1
    assert world.helper.restarts <= 8
    assert await text(good) == ""


async def test_a_document_with_a_row_that_cannot_be_read_has_the_rest_and_is_not_compacted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, DocumentLimits(compact_rows=2)).start()
    ada = Editor()
    world.presence.documents.change("b", 1, ada.type("read"))
    await trio.sleep(1)
    # The store has left one out.
    stored = world.store.documents_of
    stored["b"] = replace(stored["b"], seq=2, is_whole=False)
    board = await Board(world).opened()
    for _ in range(5):
        board.relay(ada.type("!"))
        await trio.sleep(1)
    assert await text(board) == "read!!!!!"
    assert board.durable == 5
    board.close()
    await trio.sleep(5)
    assert stored["b"].snapshot is None
    assert text_of(*world.stored()) == "read!!!!!"


async def test_an_answer_that_ends_the_helper_twice_is_not_given(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    board = await Board(world).opened()
    world.faults.extend([Diff, Diff])
    board.answer(1)
    board.answer(2)
    await board.wait_for(DocumentAnswered)
    assert [event.connection for event in board.answered] == [2]
    assert board.told(AnswerFailed) == [AnswerFailed(1, EMPTY_VECTOR)]
    assert world.helper.restarts == 2


async def test_a_deleted_document_is_gone_and_its_room_hears_of_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    board.relay(ada.type("secret"))
    await trio.sleep(2)
    assert await world.service.delete("b")
    assert isinstance(board.events[-1], DocumentDeleted)
    assert "b" not in world.store.documents_of
    again = await Board(world).opened()
    assert await text(again) == ""
    again.relay(Editor(2).type("new"))
    await trio.sleep(2)
    assert again.durable == 1
    assert text_of(*world.stored()) == "new"
    assert await world.service.state("b") is not None


async def test_a_deletion_ends_what_is_under_way_and_nothing_comes_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board = await Board(world).opened()
    board.relay(ada.type("stored"))
    await trio.sleep(1)
    world.delay_s, world.store.delay_s = 2, 1.5
    board.ask(ada.type("under way"))
    board.relay(Editor(3).type("in flight"))
    await trio.sleep(0.6)
    assert await world.service.delete("b")
    events = len(board.events)
    again = Board(world).open()
    await trio.sleep(60)
    assert len(board.events) == events
    assert await text(again) == ""
    assert "b" not in world.store.documents_of


async def test_only_what_there_is_can_be_deleted_and_a_store_that_is_down_says_so(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    assert not await world.service.delete("none")
    board = await Board(world).opened()
    assert not await world.service.delete("b")
    board.relay(Editor().type("x"))
    await trio.sleep(1)
    world.store.is_down = True
    with pytest.raises(StorageUnavailable):
        await world.service.delete("other")
    with pytest.raises(StorageUnavailable):
        await world.service.delete("b")
    world.store.is_down = False
    await trio.sleep(5)
    assert "b" not in world.store.documents_of


async def test_documents_that_nobody_opened_for_too_long_are_deleted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, DocumentLimits(retention_ms=30 * DAY_MS)).start()
    for name in ("unused", "opened", "live"):
        board = await Board(world, name).opened()
        board.relay(Editor().type("x"))
        if name != "live":
            board.close()
    await trio.sleep(5)
    world.now_ms = T0 + 29 * DAY_MS
    assert await world.service.delete_unused(world.now_ms) == 0
    (await Board(world, "opened").opened()).close()
    await trio.sleep(2)
    world.now_ms = T0 + 31 * DAY_MS
    # Those of another process are that one's: it knows who has them open.
    world.service.owns = lambda board_id: board_id != "unused"
    assert await world.service.delete_unused(world.now_ms) == 0
    world.service.owns = lambda _board_id: True
    assert await world.service.delete_unused(world.now_ms) == 1
    assert set(world.store.documents_of) == {"opened", "live"}


async def test_unused_documents_after_many_of_other_processes_are_deleted_too(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery, DocumentLimits(retention_ms=30 * DAY_MS)).start()
    for number in range(250):
        world.presence.documents.change(f"board-{number:03}", 1, Editor().type("x"))
    await trio.sleep(5)
    own = ("board-100", "board-249")
    world.service.owns = lambda board_id: board_id in own
    assert await world.service.delete_unused(T0 + 31 * DAY_MS) == 2
    assert len(world.store.documents_of) == 248
    assert not set(own) & set(world.store.documents_of)


async def test_without_a_retention_nothing_is_deleted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    world.presence.documents.change("b", 1, Editor().type("x"))
    await trio.sleep(1)
    assert await world.service.delete_unused(T0 + 10_000 * DAY_MS) == 0


async def test_the_state_of_a_document_is_one_update_whether_its_board_is_open_or_not(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    assert await world.service.state("b") is None
    assert world.launches == 0
    ada = Editor()
    board = await Board(world).opened()
    assert await world.service.state("b") is None
    board.relay(ada.type("hello"))
    assert await world.service.state("b") == ada.state
    board.close()
    await trio.sleep(2)
    assert len(world.service) == 0
    assert await world.service.state("b") == ada.state
    await trio.sleep(1)
    assert len(world.service) == 0
    world.store.is_down = True
    with pytest.raises(StorageUnavailable):
        await world.service.state("b")


async def test_a_document_without_a_store_lives_while_its_board_does(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)

    async def soon(callback: Callable[[], None]) -> None:
        callback()

    memory = MemoryDocuments(lambda callback: nursery.start_soon(soon, callback))
    world.service = DocumentService(
        memory, world.helper, DocumentLimits(compact_rows=10), memory.forget
    )
    await world.start()
    ada = Editor()
    board = await Board(world).opened()
    for _ in range(30):
        board.relay(ada.type("x"))
        await trio.sleep(0.1)
    assert board.durable == 30
    world.faults.append(Diff)
    assert await text(board) == "x" * 30
    assert world.store.documents_of == {}
    board.close()
    await trio.sleep(5)
    assert await text(await Board(world).opened()) == ""


async def test_a_task_that_crashes_ends_one_document_for_its_room_and_no_other(
    autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await World(nursery).start()
    ada = Editor()
    board, other = await Board(world).opened(), await Board(world, "other").opened()
    board.relay(ada.type("kept"))
    await trio.sleep(1)
    faulty = world.service._boards["b"]
    monkeypatch.setattr(faulty, "_work", None)
    with structlog.testing.capture_logs() as logs:
        board.answer(1)
        await board.wait_for(DocumentDeleted)
    assert [line["event"] for line in logs] == ["the task of a document crashed"]
    assert await text(await Board(world).opened()) == "kept"
    assert await text(other) == ""
    assert board.told(DocumentMerged) == []


async def test_changes_are_counted_and_so_are_those_that_are_refused(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = await World(nursery).start()
    ada, eve = Editor(1), Editor(2)
    board = await Board(world).opened()
    board.relay(ada.type("a"))
    board.ask(ada.type("b"))
    eve.type("missing")
    board.ask(eve.type("follows on nothing"))
    board.ask(b"damaged")
    await board.wait_for(DocumentMerged, 3)
    service = world.service
    assert (service.updates, service.updates_refused, len(service)) == (4, 2, 1)
