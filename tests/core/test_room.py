"""The room as its callers see it: what it answers and when it wants to be woken."""

from __future__ import annotations

import math

import pytest

from presence_server.core.effects import InsertRow, Publish, SaveHeartbeats, SaveRows
from presence_server.core.events import ClockSet, ConfirmRows, CursorTick, Save, Tick
from presence_server.core.room import Room
from presence_server.protocol.messages import HeartbeatAck
from presence_server.protocol.model import Cursor, PresenceStatus, Update
from tests.core.world import BOARD, EPOCH_MS, World
from tests.limits import board_limits


def test_a_new_room_is_empty_and_sleeps_for_ever() -> None:
    room = Room("b", board_limits(capacity=7), EPOCH_MS)
    assert (room.board_id, room.limits.capacity, room.epoch_ms) == ("b", 7, EPOCH_MS)
    assert room.is_empty
    assert room.current_users() == []
    assert (room.seats_taken, room.queue_length, room.connected_count) == (0, 0, 0)
    assert room.next_deadline() == room.next_cursor_deadline() == math.inf
    assert not room.can_admit()
    assert not room.has_user("ada")


def test_ticks_without_need_do_nothing(board: World) -> None:
    board.connect("ada")
    assert board.apply(Tick()) == []
    assert board.apply(CursorTick()) == []


def test_a_heartbeat_moves_no_alarm(board: World) -> None:
    ada = board.connect("ada")
    board.wait(1)
    before = board.room.next_deadline()
    alarms = board.room.alarms
    assert alarms > 0
    board.pong(ada)
    assert board.room.next_deadline() == before
    assert board.room.look_by <= before
    assert board.room.alarms == alarms


def test_changes_gather_for_the_save_interval(board: World) -> None:
    ada = board.connect("ada")
    board.wait(1)
    board.update(ada, metadata=b"{}")
    board.wait(0.4)
    board.update(ada, cursor=Cursor(2, 2))
    assert board.rows[ada.session_id].metadata is None
    board.wait(0.1)
    assert board.rows[ada.session_id].metadata == b"{}"
    assert board.rows[ada.session_id].cursor == Cursor(2, 2)
    assert board.published == tuple(board.room.current_users())


def test_cursors_gather_for_longer_but_not_for_ever(board: World) -> None:
    ada = board.connect("ada")
    board.wait(1)
    saved = []
    for x in range(60):
        board.update(ada, cursor=Cursor(x, 1))
        saved.append(board.rows[ada.session_id].cursor)
        board.wait(0.1)
    # Every two seconds, when it is this board's turn.
    assert [saved.count(cursor) for cursor in dict.fromkeys(saved)][1:-1] == [20, 20]
    board.wait(2)
    assert board.rows[ada.session_id].cursor == Cursor(59, 1)
    assert board.published == tuple(board.room.current_users())


def test_only_a_cursor_that_moves_takes_the_short_way(board: World) -> None:
    ada = board.connect("ada")
    board.wait(1)
    board.update(ada, cursor=Cursor(1, 1))  # It sets the alarm to save.
    room, ways = board.room, {}
    for what, update in {
        "moves": Update(cursor=Cursor(2, 2)),
        "stays": Update(cursor=Cursor(2, 2)),
        "goes away": Update(cursor=None),
        "says more": Update(cursor=Cursor(3, 3), status=PresenceStatus.ONLINE),
        "writes": Update(cursor=Cursor(3, 3), metadata=b"{}"),
        "does not move": Update(status=PresenceStatus.ONLINE),
    }.items():
        ways[what] = room.move(ada.number, ada.session_id, update, board.now) is not None
    assert [what for what, is_short in ways.items() if is_short] == ["moves", "goes away"]
    move = Update(cursor=Cursor(4, 4))
    assert room.move(ada.number, "another", move, board.now) is None
    assert room.move(ada.number + 1, ada.session_id, move, board.now) is None


def test_a_server_that_stops_saves_everything(board: World) -> None:
    ada = board.connect("ada")
    board.wait(1)
    board.update(ada, cursor=Cursor(1, 1))
    assert {type(effect) for effect in board.apply(Save())} == {SaveRows, Publish}
    assert board.rows[ada.session_id].cursor == Cursor(1, 1)


def test_an_empty_board_is_published_at_once(board: World) -> None:
    ada = board.connect("ada")
    board.wait(1)
    assert Publish("board-1", ()) in board.leave(ada)
    assert board.room.is_empty


def test_signs_of_life_reach_the_store_but_not_every_pong(board: World) -> None:
    ada = board.connect("ada")
    board.wait(20)
    board.pong(ada)
    board.wait(2)
    assert board.rows[ada.session_id].last_heartbeat_at == EPOCH_MS
    board.wait(18)
    board.pong(ada)
    board.wait(2)
    assert board.rows[ada.session_id].last_heartbeat_at == EPOCH_MS + 40_000
    board.heartbeat(ada)
    board.wait(2)
    assert board.rows[ada.session_id].last_heartbeat_at == EPOCH_MS + 42_000


def test_a_row_is_asked_for_with_the_profile_of_the_user(board: World) -> None:
    board.connect("ada", display_name="Ada")
    board.connect("ada", display_name="Other")
    inserts = [e for _, _, effects in board.log for e in effects if isinstance(e, InsertRow)]
    assert [insert.profile.display_name for insert in inserts] == ["Ada", "Ada"]
    assert {insert.record.connected_at for insert in inserts} == {EPOCH_MS}


@pytest.mark.parametrize("set_by_ms", [5 * 3_600_000, -3_600_000])
def test_the_rows_follow_a_wall_clock_that_was_set(board: World, set_by_ms: int) -> None:
    ada, bob = board.connect("ada"), board.connect("bob")
    board.wait(10)
    board.drop(bob)
    board.wait(10)
    board.apply(ClockSet(EPOCH_MS + set_by_ms))
    board.wait(2)
    times = [board.rows[wire.session_id].last_heartbeat_at for wire in (ada, bob)]
    assert times == [EPOCH_MS + set_by_ms] * 2


def test_a_wall_clock_that_is_corrected_a_little_writes_no_row(board: World) -> None:
    board.connect("ada")
    board.wait(10)
    board.apply(ClockSet(EPOCH_MS + 900))
    board.wait(10)
    kinds = {type(effect) for _, _, effects in board.log for effect in effects}
    assert SaveHeartbeats not in kinds


def test_a_wall_clock_that_was_set_counts_from_the_next_event(board: World) -> None:
    ada = board.connect("ada")
    board.apply(ClockSet(EPOCH_MS + 5000))
    assert board.room.epoch_ms == EPOCH_MS + 5000
    board.wait(1)
    board.heartbeat(ada)
    (ack,) = (m for m in ada.inbox if isinstance(m, HeartbeatAck))
    assert ack.payload.server_time == EPOCH_MS + 6000


def test_a_free_seat_is_one_that_nobody_waits_for() -> None:
    board = World(board_limits(capacity=1))
    seen = [board.room.has_free_seat]
    ada = board.connect("ada")
    seen.append(board.room.has_free_seat)
    board.connect("bob")
    board.leave(ada)
    seen.append(board.room.has_free_seat)
    assert seen == [True, False, False]


def test_a_session_is_here_from_its_seat_or_place_in_the_queue_to_its_end() -> None:
    world = World(board_limits(capacity=1))
    ada, bob = world.connect("ada"), world.connect("bob")
    world.drop(ada)
    assert world.room.has_session(ada.session_id)
    assert world.room.has_session(bob.session_id)
    assert not world.room.has_session("unheard-of")
    world.leave(bob)
    assert not world.room.has_session(bob.session_id)


def test_the_rows_of_a_board_are_those_of_its_joined_sessions(board: World) -> None:
    ada = board.connect("ada")
    board.connect("bob")
    board.update(ada, metadata=b"{}")
    board.wait(5)
    rows = {record.session_id: (record, profile) for record, profile in board.room.rows(board.now)}
    assert rows.keys() == board.rows.keys()
    record, profile = rows[ada.session_id]
    assert record == board.rows[ada.session_id]
    assert profile.user_id == "ada"


def test_a_session_whose_row_is_not_durable_yet_has_none() -> None:
    board = World(board_limits(), auto=False)
    board.connect("ada")
    assert board.room.rows(board.now) == []


def test_the_rows_of_sessions_that_dropped_are_confirmed_with_their_last_sign_of_life(
    board: World,
) -> None:
    ada, bob = board.connect("ada"), board.connect("bob")
    board.wait(10)
    board.drop(bob)
    board.wait(10)
    board.log.clear()
    board.apply(ConfirmRows())
    board.wait(3)
    saved = [e for _, _, effects in board.log for e in effects if isinstance(e, SaveHeartbeats)]
    assert saved == [SaveHeartbeats(BOARD, ((bob.session_id, EPOCH_MS),))]
    assert ada.closed is None
