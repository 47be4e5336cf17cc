"""Section 7 of the specification, "Watching": clients that wait for a seat see the board."""

from __future__ import annotations

from presence_server.protocol.messages import (
    BoardWatching,
    PresenceCursors,
    UserJoined,
    UserLeft,
    UserUpdated,
)
from presence_server.protocol.model import Cursor
from tests.core.documents.kit import Board, typed
from tests.core.world import AWAY, Wire, World
from tests.limits import board_limits


def full(*, watch_limit: int = 100, capacity: int = 1) -> tuple[World, Wire]:
    """A board whose first seat Ada has; the caller takes the others."""
    world = World(board_limits(capacity=capacity, watch_limit=watch_limit))
    return world, world.connect("ada")


def names(wire: Wire) -> list[str]:
    """Whom a client that watches sees."""
    assert wire.watched is not None
    return list(wire.watched)


def cursors(wire: Wire) -> list[list[tuple[str, float | None, float | None]]]:
    """The events about cursors that a client got."""
    return [m.payload.cursors for m in wire.inbox if isinstance(m, PresenceCursors)]


def test_who_asks_to_watch_gets_the_board_after_the_position_and_then_its_events() -> None:
    world, ada = full()
    eve = world.connect("eve", watches=True)
    assert eve.kinds() == ["BoardQueued", "BoardWatching"]
    assert names(eve) == ["ada"]
    world.update(ada, status=AWAY, metadata=b'{"tool":"pen"}')
    world.wait(1)
    world.change_profile(ada, display_name="Ada L.")
    assert eve.kinds()[2:] == ["PresenceChanged", "UserUpdated"]
    assert eve.watched == ada.mirror


def test_who_does_not_ask_hears_nothing_of_the_board() -> None:
    world, ada = full()
    eve = world.connect("eve")
    world.update(ada, status=AWAY, cursor=Cursor(1, 2))
    world.wait(2)
    assert eve.kinds() == ["BoardQueued"]


def test_cursors_come_once_a_second_with_the_newest_position() -> None:
    world, ada = full()
    eve = world.connect("eve", watches=True)
    for step in range(10):
        world.update(ada, cursor=Cursor(step, 0))
        world.wait(0.29)
    assert cursors(eve) == [[("ada", 0, 0)], [("ada", 3, 0)], [("ada", 6, 0)]]
    world.update(ada, cursor=None)
    world.wait(1)
    assert cursors(eve)[-1] == [("ada", None, None)]
    assert len(cursors(ada)) == 11


def test_a_cursor_that_moved_before_somebody_watched_is_in_the_snapshot_only() -> None:
    world, ada = full()
    world.update(ada, cursor=Cursor(1, 2))
    world.wait(1)
    eve = world.connect("eve", watches=True)
    world.wait(2)
    assert eve.watched is not None
    assert eve.watched["ada"].cursor == Cursor(1, 2)
    assert not cursors(eve)


def test_admission_happens_in_place_and_the_snapshot_is_complete() -> None:
    world, ada = full()
    eve = world.connect("eve", watches=True)
    zed = world.connect("zed", watches=True)
    world.leave(ada)
    assert eve.of(BoardWatching)
    assert eve.has_joined()
    assert eve.mirror is not None
    assert list(eve.mirror) == ["eve"]
    assert not eve.of(UserJoined), "its own user"
    assert [type(m) for m in zed.inbox if isinstance(m, UserLeft | UserJoined)] == [
        UserLeft,
        UserJoined,
    ]
    assert names(zed) == ["eve"]
    world.update(eve, cursor=Cursor(1, 2))
    world.wait(2)
    assert len(cursors(eve)) == 1, "as a member, and not as a spectator as well"


def test_it_goes_on_watching_until_its_row_is_stored() -> None:
    world = World(board_limits(capacity=2), auto=False)
    ada, bob = world.connect("ada"), world.connect("bob")
    for wire in (ada, bob):
        world.commit(wire)
    eve = world.connect("eve", watches=True)
    world.leave(bob)
    world.admit_next()
    world.update(ada, status=AWAY)
    assert eve.kinds()[-1] == "PresenceChanged"
    world.commit(eve)
    assert eve.kinds()[-1] == "BoardJoined"


def test_beyond_the_limit_clients_wait_their_turn_to_watch() -> None:
    world, _ = full(watch_limit=1)
    eve, zed, max_ = (world.connect(name, watches=True) for name in ("eve", "zed", "max"))
    assert [len(w.of(BoardWatching)) for w in (eve, zed, max_)] == [1, 0, 0]
    world.drop(zed)
    world.leave(eve)
    assert [len(w.of(BoardWatching)) for w in (eve, zed, max_)] == [1, 0, 1]


def test_with_a_limit_of_none_nobody_watches() -> None:
    world, _ = full(watch_limit=0)
    eve = world.connect("eve", watches=True)
    assert eve.kinds() == ["BoardQueued"]
    assert not world.room._state.spectators.asking


def test_who_joins_without_having_watched_leaves_the_turn_to_others() -> None:
    world, ada = full(watch_limit=1, capacity=2)
    bob = world.connect("bob")
    for name in ("eve", "zed", "max"):
        world.connect(name, watches=True)
    eve, zed, max_ = (world.wires[number] for number in (3, 4, 5))
    world.drop(eve)
    assert zed.of(BoardWatching)
    world.leave(ada)
    assert zed.has_joined()
    assert max_.of(BoardWatching)
    assert names(max_) == ["bob", "zed"]
    world.leave(bob)
    assert max_.has_joined()


def test_a_place_that_is_taken_up_again_is_watched_again() -> None:
    world, ada = full()
    eve = world.connect("eve", watches=True)
    world.drop(eve)
    world.update(ada, status=AWAY)
    back = world.resume(eve)
    assert back.kinds() == ["BoardQueued", "BoardWatching"]
    assert back.watched is not None
    assert back.watched["ada"].status is AWAY
    # It came over another connection, while the old one was still there.
    again = world.resume(back)
    assert back.closed == 4409
    assert again.kinds() == ["BoardQueued", "BoardWatching"]
    other = world.connect("eve", resume=again.session_id)
    assert other.kinds() == ["BoardQueued"], "this one did not ask"


def test_the_cursor_of_a_user_who_left_is_forgotten() -> None:
    world = World(board_limits(capacity=2))
    ada, bob = world.connect("ada"), world.connect("bob")
    eve = world.connect("eve", watches=True)
    for x in (1, 2):
        world.update(ada, cursor=Cursor(x, 0))
        world.update(bob, cursor=Cursor(x, 0))
        world.wait(0.1)
    assert world.room.next_cursor_deadline() < 2
    world.kick("ada")
    world.kick("bob")
    assert eve.has_joined()
    assert len(cursors(eve)) == 1
    assert world.room.next_cursor_deadline() == float("inf")


def test_a_kicked_spectator_hears_nothing_more() -> None:
    world, ada = full()
    eve = world.connect("eve", watches=True)
    world.kick("eve")
    assert eve.closed == 4410
    world.update(ada, status=AWAY)
    assert not eve.of(UserUpdated)
    world.replay()


def test_a_client_whose_turn_to_watch_comes_later_gets_the_document_then() -> None:
    board = Board(capacity=1, watch_limit=1)
    seated = board.join("ada")
    board.ask(seated)
    board.load([typed(9, 0)])
    first, second = (board.join(name, text=True, watches=True) for name in ("eve", "zed"))
    board.ask(second)
    board.serve()
    assert second.changes() == []
    board.part(first)
    board.serve()
    assert second.changes() == [typed(9, 0)]
    board.change(seated, typed(1, 0))
    assert second.changes() == [typed(1, 0)]
