"""Sessions there is no place for: of one user, of one address, of everybody who waits."""

from __future__ import annotations

import pytest

from presence_server.core.announce import RETRY_AFTER_MS
from presence_server.core.effects import Close, CloseRow, InsertRow
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import BoardQueued, Error
from tests.core.watching import errors, reasons, told
from tests.core.world import Wire, World
from tests.limits import board_limits


@pytest.fixture
def world() -> World:
    return World(board_limits(capacity=2, sessions_per_user=3))


def test_the_refusal_says_when_to_come_back(world: World) -> None:
    wire = world.connect("ada", may_begin=False)
    reason = '{"retry_after_ms": 5000}'
    assert Close(wire.number, CloseCode.RATE_LIMITED, reason) in world.log[-1][2]


def is_refused(wire: Wire, setting: str) -> bool:
    (error,) = wire.inbox
    assert isinstance(error, Error)
    assert error.payload.code is ErrorCode.RATE_LIMITED
    assert error.payload.retry_after_ms == RETRY_AFTER_MS
    return setting in error.payload.message and wire.closed == CloseCode.RATE_LIMITED


class TestSessionsOfOneUser:
    def test_are_refused_beyond_the_limit_while_all_are_connected(self, world: World) -> None:
        tabs = [world.connect("ada") for _ in range(3)]
        fourth = world.connect("ada")
        assert is_refused(fourth, "limits.sessions_per_user")
        assert all(tab.closed is None for tab in tabs)
        assert len(world.open_rows()) == 3

    def test_of_others_are_not_counted(self, world: World) -> None:
        for _ in range(3):
            world.connect("ada")
        assert world.connect("bob").has_joined()

    def test_that_dropped_make_way_the_longest_gone_first(self, world: World) -> None:
        watcher = world.connect("bob")
        first, second, third = (world.connect("ada") for _ in range(3))
        world.drop(second)
        world.wait(1)
        world.drop(first)
        fourth = world.connect("ada")
        assert fourth.has_joined()
        assert world.open_rows() == {w.session_id for w in (watcher, first, third, fourth)}
        assert world.connect("ada", second.session_id).session_id != second.session_id
        assert reasons(watcher) == [], "the user was there all the time"
        assert told(watcher, "ada") == []

    def test_a_new_session_takes_over_the_seat_of_the_only_one_that_dropped(self) -> None:
        world = World(board_limits(capacity=1, sessions_per_user=1))
        ada = world.connect("ada")
        bob, cyd = world.connect("bob"), world.connect("cyd")
        world.drop(ada)
        world.drop(bob)
        again = world.connect("ada")
        assert again.has_joined()
        assert world.connect("bob").position == 1
        assert cyd.position == 2
        assert world.listed() == ["ada"]

    def test_take_the_seat_before_the_old_one_goes(self) -> None:
        world = World(board_limits(capacity=1, sessions_per_user=1), auto=False)
        ada = world.connect("ada")
        world.commit(ada)
        world.drop(ada)
        again = world.connect("ada")
        effects = world.log[-1][2]
        order = [type(e) for e in effects if isinstance(e, InsertRow | CloseRow)]
        assert order == [InsertRow, CloseRow]
        world.commit(again)
        assert again.has_joined()

    def test_in_the_queue_are_as_many(self, world: World) -> None:
        for name in ("bob", "cyd"):
            world.connect(name)
        waiting = [world.connect("ada") for _ in range(3)]
        assert [wire.position for wire in waiting] == [1, 1, 1]
        assert is_refused(world.connect("ada"), "limits.sessions_per_user")
        world.drop(waiting[0])
        assert world.connect("ada").position == 1
        assert is_refused(world.resume(waiting[0]), "limits.sessions_per_user")

    def test_more_than_a_lowered_limit_go_when_they_dropped(self, world: World) -> None:
        for _ in range(3):
            world.connect("ada")
        world.wait(1)
        world.restart(board_limits(sessions_per_user=2))
        assert len(world.open_rows()) == 3
        ada = world.connect("ada")
        assert ada.has_joined()
        assert len(world.open_rows()) == 2

    def test_may_be_come_back_to_however_many_there_are(self, world: World) -> None:
        tabs = [world.connect("ada") for _ in range(3)]
        world.drop(tabs[0])
        back = world.resume(tabs[0])
        assert back.session_id == tabs[0].session_id
        assert back.has_joined()


class TestSomebodyWhoMayNotBegin:
    def test_gets_an_error_that_names_the_setting(self, world: World) -> None:
        assert is_refused(world.connect("ada", may_begin=False), "limits.connections_per_ip")
        assert world.room.is_empty

    def test_may_come_back(self, world: World) -> None:
        ada = world.connect("ada")
        world.drop(ada)
        back = world.connect("ada", ada.session_id, may_begin=False)
        assert back.session_id == ada.session_id
        assert back.has_joined()

    def test_may_not_come_as_somebody_elses_session(self, world: World) -> None:
        ada = world.connect("ada")
        world.drop(ada)
        eve = world.connect("eve", ada.session_id, may_begin=False)
        assert is_refused(eve, "limits.connections_per_ip")


class TestSomebodyWhoMayNotQueue:
    def test_gets_a_seat_that_is_free(self, world: World) -> None:
        assert world.connect("ada", may_queue=False).has_joined()

    def test_gets_board_full(self, world: World) -> None:
        for name in ("ada", "bob"):
            world.connect(name)
        cyd = world.connect("cyd", may_queue=False)
        assert errors(cyd) == [ErrorCode.BOARD_FULL]
        assert cyd.closed == CloseCode.BOARD_FULL

    def test_joins_a_place_that_the_user_has(self, world: World) -> None:
        for name in ("ada", "bob", "cyd"):
            world.connect(name)
        assert world.connect("cyd", may_queue=False).position == 1


def test_positions_in_a_long_queue_are_sent_by_one_walk_a_second() -> None:
    world = World(board_limits(capacity=1, queue_limit=300))
    world.connect("ada")
    waiting = [world.connect(f"user-{number}") for number in range(200)]
    world.wait(10)
    for wire in waiting[:50]:
        world.leave(wire)
    told = [wire.position for wire in waiting[50:]]
    # The first one who leaves changes positions at once, the others a second later, together.
    assert told == list(range(50, 200))
    world.wait(0.99)
    assert [wire.position for wire in waiting[50:]] == told
    world.wait(0.01)
    assert [wire.position for wire in waiting[50:]] == list(range(1, 151))
    assert all(len(wire.of(BoardQueued)) == 3 for wire in waiting[50:])
