"""Section 6 of the protocol, sentence by sentence: capacity, queue, admission."""

from __future__ import annotations

from msgspec import Raw

from presence_server.core.announce import RETRY_AFTER_MS
from presence_server.core.effects import InsertRow
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import BoardJoined, BoardQueued, Error
from presence_server.protocol.model import Cursor
from tests.core.watching import errors
from tests.core.world import AWAY, EPOCH_MS, IDLE, World
from tests.limits import board_limits


class TestCapacity:
    def test_counts_distinct_users(self) -> None:
        world = World(board_limits(capacity=2))
        world.connect("ada")
        world.connect("bob")
        cyd = world.connect("cyd")
        assert world.room.seats_taken == 2
        assert cyd.position == 1

    def test_a_further_session_of_a_present_user_takes_no_seat_and_is_never_queued(
        self, bench: World
    ) -> None:
        bench.connect("ada")
        bench.connect("bob")
        second = bench.connect("ada")
        assert second.kinds() == ["BoardJoined"]
        assert bench.room.seats_taken == 1

    def test_counts_a_user_who_is_admitting(self) -> None:
        world = World(board_limits(capacity=1), auto=False)
        ada = world.connect("ada")
        assert not ada.has_joined()
        assert world.connect("bob").position == 1

    def test_counts_a_user_who_is_detached(self, bench: World) -> None:
        bench.drop(bench.connect("ada"))
        assert bench.room.seats_taken == 1
        assert bench.connect("bob").position == 1


class TestQueue:
    def test_is_first_in_first_out(self, bench: World) -> None:
        ada = bench.connect("ada")
        waiting = [bench.connect(name) for name in ("bob", "cyd", "dee")]
        assert [wire.position for wire in waiting] == [1, 2, 3]
        seen = []
        leaving = ada
        for wire in waiting:
            bench.leave(leaving)
            assert wire.has_joined()
            seen.append(bench.listed())
            leaving = wire
        assert seen == [["bob"], ["cyd"], ["dee"]]

    def test_has_one_place_per_user_shared_by_tabs_which_are_admitted_together(
        self, bench: World
    ) -> None:
        ada = bench.connect("ada")
        bob = [bench.connect("bob"), bench.connect("bob")]
        cyd = bench.connect("cyd")
        assert [wire.position for wire in bob] == [1, 1]
        assert cyd.position == 2
        assert bench.room.queue_length == 2
        bench.leave(ada)
        assert [wire.has_joined() for wire in bob] == [True, True]
        assert bench.listed() == ["bob"]
        assert not cyd.has_joined()

    def test_admits_a_tab_that_dropped_together_with_the_one_that_is_there(
        self, bench: World
    ) -> None:
        ada = bench.connect("ada")
        dropped, there = bench.connect("bob"), bench.connect("bob")
        bench.drop(dropped)
        bench.leave(ada)
        assert there.has_joined()
        bench.wait(60)
        back = bench.resume(dropped)
        assert back.session_id == dropped.session_id
        assert back.has_joined()

    def test_with_nobody_there_gives_a_seat_to_nobody(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        assert bench.admit_next() == []
        bench.drop(bob)
        bench.leave(ada)
        assert bench.admit_next() == []

    def test_full_means_board_full_and_1013(self) -> None:
        world = World(board_limits(capacity=1, queue_limit=1))
        for name in ("ada", "bob"):
            world.connect(name)
        cyd = world.connect("cyd")
        assert errors(cyd) == [ErrorCode.BOARD_FULL]
        assert cyd.closed == CloseCode.BOARD_FULL
        (error,) = cyd.inbox
        assert isinstance(error, Error)
        assert error.payload.retry_after_ms == RETRY_AFTER_MS

    def test_full_for_new_users_still_takes_another_tab_of_a_waiting_user(self) -> None:
        world = World(board_limits(capacity=1, queue_limit=1))
        for name in ("ada", "bob"):
            world.connect(name)
        assert world.connect("bob").position == 1

    def test_disabled_means_board_full(self) -> None:
        world = World(board_limits(capacity=1, queue_enabled=False))
        world.connect("ada")
        assert world.connect("bob").closed == CloseCode.BOARD_FULL

    def test_a_dropped_client_keeps_its_place_for_the_grace_and_resumes_it(
        self, bench: World
    ) -> None:
        bench.connect("ada")
        bob, cyd = bench.connect("bob"), bench.connect("cyd")
        bench.drop(bob)
        bench.wait(29.9)
        back = bench.resume(bob)
        assert back.session_id == bob.session_id
        assert back.position == 1
        assert cyd.position == 2

    def test_a_dropped_client_loses_its_place_after_the_grace(self, bench: World) -> None:
        bench.connect("ada")
        bob, cyd = bench.connect("bob"), bench.connect("cyd")
        bench.drop(bob)
        bench.wait(30)
        assert cyd.position == 1
        assert bench.resume(bob).position == 2

    def test_a_page_left_gives_the_place_up_after_the_leave_grace(self, bench: World) -> None:
        # Section 5: 1001 is not a drop. Ghosts of closed pages would hold up the queue.
        bench.connect("ada")
        bob, cyd = bench.connect("bob"), bench.connect("cyd")
        bench.close_page(bob)
        bench.wait(1.9)
        assert cyd.position == 2
        bench.wait(0.1)
        assert bench.room.queue_length == 1
        assert cyd.position == 1

    def test_a_page_reloaded_in_time_keeps_the_place(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        bench.connect("cyd")
        bench.close_page(bob)
        bench.wait(1.9)
        assert bench.resume(bob).position == 1
        bench.wait(10)
        assert bench.room.queue_length == 2

    def test_a_clean_leave_gives_the_place_up_at_once(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        assert bench.leave(bob) != []
        assert bench.room.queue_length == 0

    def test_a_freed_seat_admits_the_head_at_once(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.leave(ada)
        assert bob.kinds() == ["BoardQueued", "BoardJoined"]

    def test_a_freed_seat_passes_over_users_without_a_connection(self, bench: World) -> None:
        ada, bob, cyd = (bench.connect(name) for name in ("ada", "bob", "cyd"))
        bench.drop(bob)
        bench.leave(ada)
        assert cyd.has_joined()
        assert bench.resume(bob).position == 1

    def test_a_seat_that_no_waiting_user_could_take_goes_to_the_first_who_comes_back(
        self, bench: World
    ) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.drop(bob)
        bench.leave(ada)
        assert bench.room.seats_taken == 0
        assert bench.resume(bob).has_joined()

    def test_a_newcomer_does_not_overtake_the_queue_while_admission_is_under_way(self) -> None:
        world = World(board_limits(capacity=1), auto=False)
        ada = world.connect("ada")
        bob = world.connect("bob")
        world.leave(ada)
        assert world.seat_free
        cyd = world.connect("cyd")
        assert (bob.position, cyd.position) == (1, 2)

    def test_positions_are_sent_at_most_once_a_second_with_the_newest_value(
        self, bench: World
    ) -> None:
        bench.connect("ada")
        ahead = [bench.connect(name) for name in ("bob", "cyd", "dee")]
        eve = bench.connect("eve")
        bench.leave(ahead[0])
        bench.wait(0.5)
        bench.leave(ahead[1])
        assert eve.position == 4
        bench.wait(0.5)
        assert [m.payload.position for m in eve.inbox if isinstance(m, BoardQueued)] == [4, 2]
        assert eve.of(BoardQueued)[-1].payload.queue_length == 2  # type: ignore[union-attr]

    def test_a_silent_waiting_client_times_out(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.wait(299)
        bench.heartbeat(ada)
        bench.wait(1)
        assert bob.closed == CloseCode.TIMEOUT
        assert bench.room.queue_length == 0

    def test_a_waiting_client_gets_its_heartbeats_acknowledged(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        bench.wait(200)
        bench.heartbeat(bob)
        bench.wait(200)
        assert bob.kinds()[:2] == ["BoardQueued", "HeartbeatAck"]
        assert bob.closed is None

    def test_an_update_from_the_queue_is_not_joined(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        bench.update(bob, status=IDLE)
        assert errors(bob) == [ErrorCode.NOT_JOINED]

    def test_a_drawing_from_the_queue_is_a_sign_of_life_and_no_more(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        assert bench.draw(bob) == []


class TestAdmission:
    def test_takes_the_seat_then_the_row_then_tells(self) -> None:
        world = World(board_limits(), auto=False)
        ada = world.connect("ada")
        world.commit(ada)
        bob = world.connect("bob")
        assert [type(e) for e in world.log[-1][2]][-1] is InsertRow
        assert world.room.seats_taken == 2
        assert bob.inbox == []
        world.commit(bob)
        assert bob.kinds() == ["BoardJoined"]
        assert ada.kinds() == ["BoardJoined", "UserJoined"]

    def test_sends_a_complete_snapshot(self, board: World) -> None:
        ada = board.connect("ada", display_name="Ada", color="#123456")
        board.update(ada, cursor=Cursor(1, 2), metadata=b'{"a":1}', status=IDLE)
        board.wait(1.5)
        bob = board.connect("bob")
        (message,) = bob.inbox
        assert isinstance(message, BoardJoined)
        payload = message.payload
        assert (payload.board_id, payload.session_id) == ("board-1", bob.session_id)
        assert payload.resumed is False
        assert [user.user_id for user in payload.current_users] == ["ada", "bob"]
        assert payload.current_users[1] == payload.self_
        assert (payload.capacity, payload.heartbeat_interval_s) == (100, 30.0)
        assert (payload.idle_after_s, payload.away_after_s) == (60.0, 180.0)
        assert payload.server_time == EPOCH_MS + 1500
        shown = payload.current_users[0]
        assert (shown.display_name, shown.color, shown.status) == ("Ada", "#123456", IDLE)
        assert (shown.cursor, shown.metadata) == (Cursor(1, 2), Raw(b'{"a":1}'))
        assert (shown.connected, shown.joined_at) == (True, EPOCH_MS)

    def test_goes_on_from_memory_if_the_store_is_down(self) -> None:
        world = World(board_limits(), auto=False)
        ada = world.connect("ada")
        world.wait(0.24)
        assert not ada.has_joined()
        world.wait(0.01)
        assert ada.has_joined()
        world.commit(ada)
        assert ada.kinds() == ["BoardJoined"]

    def test_applies_an_update_that_came_too_early_on_joining_newest_per_field(self) -> None:
        world = World(board_limits(), auto=False)
        ada = world.connect("ada")
        world.update(ada, status=AWAY, cursor=Cursor(1, 1))
        world.update(ada, cursor=Cursor(2, 2))
        world.update(ada, metadata=b"{}")
        world.commit(ada)
        shown = ada.seen("ada")
        assert (shown.status, shown.cursor, shown.metadata) == (AWAY, Cursor(2, 2), Raw(b"{}"))

    def test_of_a_user_who_leaves_before_the_row_is_stored_is_never_seen(self) -> None:
        world = World(board_limits(), auto=False)
        ada = world.connect("ada")
        world.commit(ada)
        bob = world.connect("bob")
        world.drop(bob)  # Nobody could resume it: its id was never told.
        world.wait(1)
        assert ada.kinds() == ["BoardJoined"]
        assert world.rows[bob.session_id].disconnected_at is not None

    def test_survives_a_drop_when_the_id_is_known_from_the_queue(self) -> None:
        world = World(board_limits(capacity=1), auto=False)
        ada = world.connect("ada")
        bob = world.connect("bob")
        world.leave(ada)
        world.admit_next()
        world.drop(bob)
        back = world.resume(bob)
        assert back.inbox == []
        world.commit(bob)
        (message,) = back.inbox
        assert isinstance(message, BoardJoined)
        assert message.payload.resumed

    def test_leaves_no_seat_to_a_ghost_that_dropped_while_admitting(self) -> None:
        world = World(board_limits(capacity=1), auto=False)
        ada = world.connect("ada")
        bob = world.connect("bob")
        cyd = world.connect("cyd")
        world.wait(2)
        world.leave(ada)
        world.admit_next()
        assert cyd.position == 1
        world.drop(bob)
        world.commit(bob)
        # Nothing else moves the queue from here on.
        world.wait(44.9)
        assert world.listed() == ["bob"]
        world.wait(0.1)
        assert world.seat_free
        world.admit_next()
        assert world.room.current_users() == []
        world.wait(1)
        assert cyd.has_joined()
