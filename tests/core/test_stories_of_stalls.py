"""A server that stood still: the time in which it could not hear anybody does not count."""

from __future__ import annotations

import pytest

from presence_server.core.events import Stalled, Tick
from presence_server.protocol.model import LeaveReason
from tests.core.watching import reasons
from tests.core.world import AWAY, IDLE, ONLINE, World
from tests.limits import board_limits

HOUR = 3600.0


def stand_still(world: World, seconds: float = HOUR) -> None:
    """Time passes without a tick; the server notices, and then acts on its deadlines."""
    world.now += seconds
    world.apply(Stalled(seconds))
    world.tick()


@pytest.fixture
def board() -> World:
    return World(board_limits(capacity=2))


def test_no_session_times_out_by_it(board: World) -> None:
    ada, bob = board.connect("ada"), board.connect("bob")
    waiting = board.connect("cyd")
    board.wait(200)
    stand_still(board)
    assert [wire.closed for wire in (ada, bob, waiting)] == [None, None, None]
    board.heartbeat(ada)
    board.wait(101)
    assert (ada.closed, bob.closed) == (None, 4408)


def test_no_user_becomes_idle_or_away_by_it(board: World) -> None:
    ada = board.connect("ada")
    board.wait(50)
    stand_still(board)
    assert ada.seen("ada").status is ONLINE
    board.wait(10)
    assert ada.seen("ada").status is IDLE
    board.wait(119)
    stand_still(board)
    assert ada.seen("ada").status is IDLE
    board.wait(1)
    assert ada.seen("ada").status is AWAY


def test_a_user_who_dropped_before_keeps_the_seat_for_the_whole_time(board: World) -> None:
    ada, bob = board.connect("ada"), board.connect("bob")
    board.drop(ada)
    board.wait(3)
    stand_still(board)
    assert bob.seen("ada").connected
    board.connect("cyd")
    board.wait(1.9)
    assert bob.seen("ada").connected
    board.wait(40)
    stand_still(board)
    assert reasons(bob) == []
    board.wait(0.2)
    assert reasons(bob) == [("ada", LeaveReason.RECLAIMED)]


def test_a_page_that_reloads_has_its_whole_grace(board: World) -> None:
    ada, bob = board.connect("ada"), board.connect("bob")
    board.close_page(ada)
    board.wait(1)
    stand_still(board)
    assert reasons(bob) == []
    board.wait(1)
    assert reasons(bob) == [("ada", LeaveReason.DISCONNECT)]


def test_a_place_in_the_queue_is_kept_for_the_whole_grace(board: World) -> None:
    for user in ("ada", "bob"):
        board.connect(user)
    cyd = board.connect("cyd")
    board.drop(cyd)
    board.wait(20)
    stand_still(board)
    assert board.room.queue_length == 1
    board.wait(10)
    assert board.room.queue_length == 0


def test_a_sign_of_life_after_it_is_not_moved_into_the_future(board: World) -> None:
    ada = board.connect("ada")
    board.now += HOUR
    board.heartbeat(ada)
    board.apply(Stalled(HOUR))
    board.apply(Tick())
    board.wait(299)
    assert ada.closed is None
    board.wait(1)
    assert ada.closed == 4408
