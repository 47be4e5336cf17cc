"""One room a board, whatever comes at the same moment."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from presence_server.core.events import Parting, Restore
from tests.limits import board_limits
from tests.rooms.fake_board import FakeBoard, settle


async def test_a_board_is_not_started_twice(nursery: trio.Nursery) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    assert board.registry.open("b") is board.registry.open("b")
    assert len(board.registry) == 1


async def test_a_joiner_never_gets_a_room_that_is_ending(nursery: trio.Nursery) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    first = board.connect("ada")
    board.part(first, Parting.LEFT)
    # The old room's tasks have not had a chance to end yet.
    second = board.connect("bob")
    await settle()
    assert second.names() == ["board:joined"]
    room = board.registry.get("b")
    assert room is not None
    assert room.is_alive


async def test_a_refused_connection_leaves_no_room_behind(nursery: trio.Nursery) -> None:
    board = FakeBoard(board_limits(capacity=1, queue_enabled=False))
    await nursery.start(board.registry.run)
    seated = board.connect("ada")
    refused = board.connect("bob")
    assert refused.names() == ["error"]
    assert refused.closed == 1013
    board.part(seated, Parting.LEFT)
    assert len(board.registry) == 0


async def test_a_room_that_ends_leaves_no_task(nursery: trio.Nursery) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    await settle()
    before = trio.lowlevel.current_statistics().tasks_living
    for number in range(50):
        peer = board.connect("ada", board=f"board-{number}")
        await settle()
        board.part(peer, Parting.LEFT, board=f"board-{number}")
    await settle()
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_no_room_without_a_nursery_to_hold_it() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        FakeBoard().registry.open("b")


async def test_waiting_users_are_counted_over_all_boards(nursery: trio.Nursery) -> None:
    board = FakeBoard(board_limits(capacity=1))
    await nursery.start(board.registry.run)
    seated = [board.connect("ada", board=name) for name in ("one", "two")]
    waiting = [board.connect(user, board="one") for user in ("bob", "cyd")]
    board.connect("bob", board="two")
    assert board.registry.waiting == 3
    board.part(waiting[1], Parting.LEFT, board="one")
    assert board.registry.waiting == 2
    board.part(seated[0], Parting.LEFT, board="one")
    await settle()
    assert board.registry.waiting == 1
    room = board.registry.get("two")
    assert room is not None
    room._crash("room crashed", RuntimeError("a bug"))
    assert board.registry.waiting == 0


async def test_suspended_rooms_keep_their_events_until_they_are_resumed(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    ada = board.connect("ada")
    ada.take()
    board.registry.suspend()
    bob = board.connect("bob")
    other = board.connect("cyd", board="other")
    await trio.sleep(5)  # Longer than a join waits for its row.
    assert (ada.names(), bob.names(), other.names()) == ([], [], [])
    board.registry.resume()
    board.store.commit()
    await settle()
    assert (ada.names(), bob.names(), other.names()) == (
        ["user:joined"],
        ["board:joined"],
        ["board:joined"],
    )


async def test_a_seat_that_was_free_when_the_rooms_were_suspended_is_given_afterwards(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    board = FakeBoard(board_limits(capacity=1))
    await nursery.start(board.registry.run)
    ada, bob = board.connect("ada"), board.connect("bob")
    assert bob.names() == ["board:queued"]
    board.part(ada, Parting.LEFT)
    board.registry.suspend()
    await trio.sleep(1)
    assert bob.names() == []
    board.registry.resume()
    await settle()
    board.store.commit()
    assert bob.names() == ["board:joined"]


async def test_a_board_that_is_restored_while_rooms_are_suspended_waits_for_both(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    board.registry.must_wait = lambda _board_id: True
    board.registry.suspend()
    ada = board.connect("ada")
    room = board.registry.get("b")
    assert room is not None
    room.restore(Restore(()))
    room.release()
    assert room.is_held
    board.registry.resume()
    board.store.commit()
    await settle()
    assert ada.names() == ["board:joined"]


async def test_rows_that_a_stopped_server_has_lost_are_not_written_again() -> None:
    board = FakeBoard()
    async with trio.open_nursery() as nursery:
        await nursery.start(board.registry.run)
        nursery.cancel_scope.cancel()
    board.registry.rewrite()
    with pytest.raises(RuntimeError, match="not running"):
        board.registry.open("b")
