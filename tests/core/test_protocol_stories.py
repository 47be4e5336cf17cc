"""Section 6 of the protocol, "Life of a session", sentence by sentence."""

from __future__ import annotations

import pytest
from msgspec import Raw

from presence_server.core.effects import Broadcast, Close, CloseRow, InsertRow, Send
from presence_server.core.errors import CloseCode, ErrorCode
from presence_server.core.messages import (
    NO_METADATA,
    BoardJoined,
    BoardQueued,
    Error,
    PresenceChanged,
    PresenceCursors,
    UserJoined,
    UserLeft,
)
from presence_server.core.model import BoardLimits, Cursor, LeaveReason

from .world import AWAY, EPOCH_MS, IDLE, ONLINE, Wire, World


@pytest.fixture
def board() -> World:
    """An ordinary board with ordinary settings."""
    return World(BoardLimits())


@pytest.fixture
def bench() -> World:
    """A board with one seat."""
    return World(BoardLimits(capacity=1))


def reasons(wire: Wire) -> list[tuple[str, LeaveReason]]:
    """Who left, as told to one client."""
    return [(m.payload.user_id, m.payload.reason) for m in wire.inbox if isinstance(m, UserLeft)]


def told(wire: Wire, user_id: str) -> list[PresenceChanged]:
    """What one client was told of one user."""
    return [
        m for m in wire.inbox if isinstance(m, PresenceChanged) and m.payload.user_id == user_id
    ]


def errors(wire: Wire) -> list[ErrorCode]:
    """The error codes one client got."""
    return [m.payload.code for m in wire.inbox if isinstance(m, Error)]


class TestCapacity:
    def test_counts_distinct_users(self) -> None:
        world = World(BoardLimits(capacity=2))
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
        world = World(BoardLimits(capacity=1), auto=False)
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

    def test_full_means_board_full_and_1013(self) -> None:
        world = World(BoardLimits(capacity=1, queue_limit=1))
        for name in ("ada", "bob"):
            world.connect(name)
        cyd = world.connect("cyd")
        assert errors(cyd) == [ErrorCode.BOARD_FULL]
        assert cyd.closed == CloseCode.BOARD_FULL
        (error,) = cyd.inbox
        assert isinstance(error, Error)
        assert error.payload.retry_after_ms == world.limits.queue_retry_ms

    def test_full_for_new_users_still_takes_another_tab_of_one_who_waits(self) -> None:
        world = World(BoardLimits(capacity=1, queue_limit=1))
        for name in ("ada", "bob"):
            world.connect(name)
        assert world.connect("bob").position == 1

    def test_disabled_means_board_full(self) -> None:
        world = World(BoardLimits(capacity=1, queue_enabled=False))
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
        # Section 5: 1001 is not a drop. Ghosts of closed pages would hold up the line.
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

    def test_a_freed_seat_passes_over_whoever_is_not_there(self, bench: World) -> None:
        ada, bob, cyd = (bench.connect(name) for name in ("ada", "bob", "cyd"))
        bench.drop(bob)
        bench.leave(ada)
        assert cyd.has_joined()
        assert bench.resume(bob).position == 1

    def test_a_seat_nobody_could_take_goes_to_the_one_who_comes_back(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.drop(bob)
        bench.leave(ada)
        assert bench.room.seats_taken == 0
        assert bench.resume(bob).has_joined()

    def test_a_newcomer_does_not_overtake_the_queue_while_admission_is_under_way(self) -> None:
        world = World(BoardLimits(capacity=1), auto=False)
        ada = world.connect("ada")
        bob = world.connect("bob")
        world.leave(ada)
        assert world.seat_free
        cyd = world.connect("cyd")
        assert (bob.position, cyd.position) == (1, 2)

    def test_positions_are_told_at_most_once_a_second_and_the_newest_then(
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
        world = World(BoardLimits(), auto=False)
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
        world = World(BoardLimits(), auto=False)
        ada = world.connect("ada")
        world.wait(0.24)
        assert not ada.has_joined()
        world.wait(0.01)
        assert ada.has_joined()
        world.commit(ada)
        assert ada.kinds() == ["BoardJoined"]

    def test_applies_an_update_that_came_too_early_on_joining_newest_per_field(self) -> None:
        world = World(BoardLimits(), auto=False)
        ada = world.connect("ada")
        world.update(ada, status=AWAY, cursor=Cursor(1, 1))
        world.update(ada, cursor=Cursor(2, 2))
        world.update(ada, metadata=b"{}")
        world.commit(ada)
        shown = ada.seen("ada")
        assert (shown.status, shown.cursor, shown.metadata) == (AWAY, Cursor(2, 2), Raw(b"{}"))

    def test_of_somebody_who_leaves_before_the_row_is_there_is_never_seen(self) -> None:
        world = World(BoardLimits(), auto=False)
        ada = world.connect("ada")
        world.commit(ada)
        bob = world.connect("bob")
        world.drop(bob)  # Nobody could resume it: its id was never told.
        world.wait(1)
        assert ada.kinds() == ["BoardJoined"]
        assert world.rows[bob.session_id].disconnected_at is not None

    def test_survives_a_drop_when_the_id_is_known_from_the_queue(self) -> None:
        world = World(BoardLimits(capacity=1), auto=False)
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
        world = World(BoardLimits(capacity=1), auto=False)
        ada = world.connect("ada")
        bob = world.connect("bob")
        cyd = world.connect("cyd")
        world.leave(ada)
        world.admit_next()
        world.drop(bob)
        world.commit(bob)
        for _ in range(3):
            world.wait(10)
            world.pong(cyd)
        world.wait(15)
        assert world.seat_free
        world.admit_next()
        assert world.room.current_users() == []
        world.wait(1)
        assert cyd.has_joined()


class TestCleanLeave:
    def test_ends_the_session_at_once(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        effects = board.leave(ada)
        assert reasons(bob) == [("ada", LeaveReason.DISCONNECT)]
        assert [e for e in effects if isinstance(e, CloseRow)]
        assert board.listed() == ["bob"]

    def test_cannot_be_taken_back(self, board: World) -> None:
        ada = board.connect("ada")
        board.connect("bob")
        board.leave(ada)
        again = board.resume(ada)
        assert again.session_id != ada.session_id
        (message,) = again.inbox
        assert isinstance(message, BoardJoined)
        assert message.payload.resumed is False


class TestPageLeft:
    def test_a_reload_that_resumes_shows_nobody_a_flicker(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        before = len(bob.inbox)
        board.close_page(ada)
        board.wait(1.9)
        back = board.resume(ada)
        board.wait(30)
        assert len(bob.inbox) == before
        (message,) = back.inbox
        assert isinstance(message, BoardJoined)
        assert message.payload.resumed is True

    def test_is_gone_as_disconnect_after_the_grace(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.close_page(ada)
        board.wait(1.99)
        assert reasons(bob) == []
        board.wait(0.01)
        assert reasons(bob) == [("ada", LeaveReason.DISCONNECT)]


class TestDrop:
    def test_keeps_seat_and_place_in_the_list(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.drop(ada)
        assert board.room.seats_taken == 2
        assert bob.seen("ada").connected

    def test_shows_after_reconnecting_after_s(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.drop(ada)
        board.wait(4.99)
        assert bob.seen("ada").connected
        board.wait(0.01)
        assert not bob.seen("ada").connected
        assert board.room.connected_count == 1

    def test_short_enough_is_never_seen(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        before = len(bob.inbox)
        board.drop(ada)
        board.wait(4.99)
        board.resume(ada)
        board.wait(20)
        assert len(bob.inbox) == before

    def test_shows_as_connected_again_after_resuming(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.drop(ada)
        board.wait(10)
        back = board.resume(ada)
        assert [m.payload.connected for m in told(bob, "ada")] == [False, True]
        assert back.seen("ada").connected

    def test_is_gone_as_timeout_counted_from_the_last_sign_of_life(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.wait(100)
        board.heartbeat(ada)
        board.wait(100)
        board.pong(bob)
        board.drop(ada)
        board.wait(199.99)
        assert reasons(bob) == []
        board.wait(0.01)
        assert reasons(bob) == [("ada", LeaveReason.TIMEOUT)]

    def test_cannot_be_resumed_once_gone(self, board: World) -> None:
        ada = board.connect("ada")
        board.drop(ada)
        board.wait(300)
        again = board.resume(ada)
        assert again.session_id != ada.session_id

    def test_a_silent_connection_is_closed_with_4408(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.wait(1)
        board.pong(bob)
        board.wait(299)
        assert ada.closed == CloseCode.TIMEOUT
        assert reasons(bob) == [("ada", LeaveReason.TIMEOUT)]

    @pytest.mark.parametrize("sign", ["heartbeat", "pong", "draw"])
    def test_any_frame_is_a_sign_of_life(self, board: World, sign: str) -> None:
        ada = board.connect("ada")
        board.wait(299)
        getattr(board, sign)(ada)
        board.wait(299)
        assert ada.closed is None


class TestReclaim:
    def test_takes_a_deserted_seat_early_when_somebody_waits(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.drop(ada)
        bench.wait(44.99)
        assert not bob.has_joined()
        bench.wait(0.01)
        assert bob.has_joined()
        again = bench.resume(ada)
        assert again.position == 1

    def test_says_reclaimed(self) -> None:
        world = World(BoardLimits(capacity=2))
        ada, bob = world.connect("ada"), world.connect("bob")
        world.connect("cyd")
        world.drop(ada)
        world.wait(45)
        assert reasons(bob) == [("ada", LeaveReason.RECLAIMED)]

    def test_happens_at_once_for_an_old_drop_when_somebody_comes(self, bench: World) -> None:
        bench.drop(bench.connect("ada"))
        bench.wait(100)
        assert bench.listed() == ["ada"]
        bob = bench.connect("bob")
        assert bob.has_joined()

    def test_does_not_happen_while_nobody_waits(self, board: World) -> None:
        board.drop(board.connect("ada"))
        board.wait(299)
        assert board.listed() == ["ada"]

    def test_takes_the_oldest_drop_first_and_one_per_waiting_user(self) -> None:
        world = World(BoardLimits(capacity=3, timeout_s=1000))
        seated = [world.connect(name) for name in ("ada", "bob", "cyd")]
        for wire in (seated[1], seated[0], seated[2]):
            world.drop(wire)
            world.wait(1)
        world.wait(50)
        world.connect("dee")
        assert world.listed() == ["ada", "cyd", "dee"]
        world.connect("eve")
        assert world.listed() == ["cyd", "dee", "eve"]

    def test_spares_a_user_with_one_tab_still_there(self, bench: World) -> None:
        first, second = bench.connect("ada"), bench.connect("ada")
        bob = bench.connect("bob")
        bench.drop(first)
        bench.wait(100)
        bench.pong(second)
        assert not bob.has_joined()

    def test_counts_from_the_last_of_several_drops(self, bench: World) -> None:
        first, second = bench.connect("ada"), bench.connect("ada")
        bob = bench.connect("bob")
        bench.drop(first)
        bench.wait(30)
        bench.drop(second)
        bench.wait(44.9)
        assert not bob.has_joined()
        bench.wait(0.1)
        assert bob.has_joined()
        assert bench.room.seats_taken == 1

    def test_does_nothing_for_a_waiting_user_who_is_not_there(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.drop(bob)
        bench.drop(ada)
        bench.wait(29)
        bob = bench.resume(bob)
        bench.drop(bob)
        bench.wait(20)
        assert bench.listed() == ["ada"]
        assert bench.resume(bob).has_joined()

    def test_by_resuming_in_time_is_averted(self, bench: World) -> None:
        ada, bob = bench.connect("ada"), bench.connect("bob")
        bench.drop(ada)
        bench.wait(44)
        back = bench.resume(ada)
        bench.wait(44)
        assert back.closed is None
        assert not bob.has_joined()


class TestStatusWatchdog:
    def test_idle_then_away_without_activity_whether_the_client_says_so_or_not(
        self, board: World
    ) -> None:
        ada = board.connect("ada")
        for _ in range(9):
            board.wait(20)
            board.heartbeat(ada)
        changes = [(m.payload.status, m.payload.timestamp) for m in told(ada, "ada")]
        assert changes == [(IDLE, EPOCH_MS + 60_000), (AWAY, EPOCH_MS + 180_000)]

    def test_activity_without_a_status_means_online(self, board: World) -> None:
        ada = board.connect("ada")
        board.wait(61)
        board.draw(ada)
        assert ada.seen("ada").status is ONLINE
        board.update(ada, status=AWAY)
        board.update(ada, cursor=Cursor(1, 1))
        assert ada.seen("ada").status is ONLINE

    def test_a_client_may_declare_less_sooner(self, board: World) -> None:
        ada = board.connect("ada")
        board.update(ada, status=AWAY)
        assert ada.seen("ada").status is AWAY
        board.wait(200)
        assert [m.payload.status for m in told(ada, "ada")] == [AWAY]

    def test_declared_idle_still_becomes_away(self, board: World) -> None:
        ada = board.connect("ada")
        board.wait(10)
        board.update(ada, status=IDLE)
        board.wait(179.9)
        assert ada.seen("ada").status is IDLE
        board.wait(0.1)
        assert ada.seen("ada").status is AWAY

    def test_a_heartbeat_or_a_pong_is_not_activity(self, board: World) -> None:
        ada = board.connect("ada")
        board.wait(61)
        board.heartbeat(ada)
        board.pong(ada)
        assert ada.seen("ada").status is IDLE

    def test_resuming_is_not_activity(self, board: World) -> None:
        ada = board.connect("ada")
        board.wait(61)
        board.drop(ada)
        board.wait(1)
        assert board.resume(ada).seen("ada").status is IDLE

    def test_the_most_present_session_counts(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        board.update(first, status=AWAY)
        assert first.seen("ada").status is ONLINE
        board.update(second, status=IDLE)
        assert first.seen("ada").status is IDLE
        board.leave(second)
        assert first.seen("ada").status is AWAY

    def test_what_does_not_change_is_not_told(self, board: World) -> None:
        ada = board.connect("ada")
        for _ in range(20):
            board.wait(10)
            board.update(ada, status=ONLINE)
        assert ada.kinds() == ["BoardJoined"]


class TestSeveralTabs:
    def test_are_one_user(self, board: World) -> None:
        first = board.connect("ada")
        bob = board.connect("bob")
        second = board.connect("ada", display_name="Another")
        assert bob.kinds() == ["BoardJoined"]
        assert board.listed() == ["ada", "bob"]
        # The profile of the first session stands.
        assert second.seen("ada").display_name == "ada"
        board.leave(first)
        assert reasons(bob) == []
        board.leave(second)
        assert reasons(bob) == [("ada", LeaveReason.DISCONNECT)]

    def test_share_cursor_and_metadata_the_newest_counts(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        board.update(first, cursor=Cursor(1, 1), metadata=b'{"a":1}')
        board.update(second, cursor=Cursor(2, 2), metadata=b'{"a":2}')
        board.leave(second)
        board.wait(1)
        assert first.seen("ada").cursor == Cursor(2, 2)
        assert first.seen("ada").metadata == Raw(b'{"a":2}')

    def test_are_disconnected_only_when_all_are(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        bob = board.connect("bob")
        board.drop(first)
        board.wait(10)
        assert bob.seen("ada").connected
        board.drop(second)
        board.wait(5)
        assert not bob.seen("ada").connected
        board.resume(first)
        assert bob.seen("ada").connected

    def test_a_new_tab_of_a_dropped_user_shows_as_connected_on_joining(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.drop(ada)
        board.wait(10)
        tab = board.connect("ada")
        assert bob.seen("ada").connected
        assert tab.seen("ada").connected
        board.wait(290)
        assert reasons(bob) == []

    def test_a_held_update_of_a_second_tab_is_applied_when_that_tab_joins(self) -> None:
        world = World(BoardLimits(), auto=False)
        first = world.connect("ada")
        world.commit(first)
        second = world.connect("ada")
        world.update(second, cursor=Cursor(9, 9), status=IDLE)
        assert first.seen("ada").cursor is None
        world.commit(second)
        world.wait(0.05)
        assert first.seen("ada").cursor == Cursor(9, 9)
        assert first.seen("ada").status is ONLINE

    def test_the_user_stays_while_only_a_tab_that_is_admitting_is_left(self) -> None:
        world = World(BoardLimits(), auto=False)
        first = world.connect("ada")
        bob = world.connect("bob")
        world.commit(first)
        world.commit(bob)
        second = world.connect("ada")
        world.leave(first)
        assert world.listed() == ["ada", "bob"]
        world.commit(second)
        assert second.has_joined()
        assert told(bob, "ada") == []


class TestResume:
    def test_takes_over_from_a_half_open_socket(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        before = len(bob.inbox)
        back = board.resume(ada)
        assert ada.closed == CloseCode.RESUMED_ELSEWHERE
        assert back.session_id == ada.session_id
        # The old socket's last words are no longer of interest.
        assert board.drop(ada) == []
        assert board.heartbeat(ada) == []
        assert board.update(ada, status=AWAY) == []
        assert len(bob.inbox) == before

    def test_of_another_users_session_gives_a_new_one(self, board: World) -> None:
        ada = board.connect("ada")
        bob = board.connect("bob", resume=ada.session_id)
        assert bob.session_id != ada.session_id
        assert ada.closed is None
        (message,) = bob.inbox
        assert isinstance(message, BoardJoined)
        assert message.payload.resumed is False

    def test_of_an_unknown_session_gives_a_new_one_without_an_error(self, board: World) -> None:
        assert board.connect("ada", resume="nonsense").kinds() == ["BoardJoined"]


class TestKick:
    def test_ends_every_session_of_the_user_with_4410(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        bob = board.connect("bob")
        board.drop(second)
        board.kick("ada")
        assert first.closed == CloseCode.KICKED
        assert reasons(bob) == [("ada", LeaveReason.KICKED)]
        assert board.resume(second).session_id != second.session_id

    def test_reaches_a_user_in_the_queue(self, bench: World) -> None:
        ada, bob, cyd = (bench.connect(name) for name in ("ada", "bob", "cyd"))
        assert bench.room.has_user("bob")
        bench.kick("bob")
        assert bob.closed == CloseCode.KICKED
        assert not bench.room.has_user("bob")
        bench.wait(1)
        assert cyd.position == 1
        assert reasons(ada) == []

    def test_reaches_a_user_who_is_admitting_and_nobody_saw(self) -> None:
        world = World(BoardLimits(), auto=False)
        ada = world.connect("ada")
        world.commit(ada)
        bob = world.connect("bob")
        world.kick("bob")
        assert bob.closed == CloseCode.KICKED
        assert ada.kinds() == ["BoardJoined"]

    def test_of_somebody_unknown_does_nothing(self, board: World) -> None:
        assert board.kick("nobody") == []

    def test_frees_the_seat_for_the_queue(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        bench.kick("ada")
        assert bob.has_joined()


class TestServerRestart:
    def test_who_resumes_in_time_causes_no_leave_and_no_join(self) -> None:
        world = World(BoardLimits(), now=10)
        ada, bob = world.connect("ada"), world.connect("bob")
        world.wait(1)
        world.restart()
        ada, bob = world.resume(ada), world.resume(bob)
        world.wait(50)
        for wire in (ada, bob):
            (message,) = wire.inbox
            assert isinstance(message, BoardJoined)
            assert message.payload.resumed
            assert [u.user_id for u in message.payload.current_users] == ["ada", "bob"]

    def test_brings_back_seat_profile_status_metadata_and_cursor(self) -> None:
        world = World(BoardLimits(capacity=2), now=10)
        ada = world.connect("ada", display_name="Ada", color="#123456")
        world.update(ada, status=AWAY, metadata=b'{"a":1}', cursor=Cursor(1, 2))
        world.wait(1)
        before = world.user("ada")
        world.restart()
        assert world.user("ada") == before
        assert world.room.seats_taken == 1

    def test_a_drop_counts_from_the_start(self) -> None:
        world = World(BoardLimits(), now=10)
        ada, bob = world.connect("ada"), world.connect("bob")
        world.wait(100)
        for wire in (ada, bob):
            world.heartbeat(wire)
        world.wait(1)
        world.restart()
        bob = world.resume(bob)
        world.wait(4.9)
        assert bob.seen("ada").connected
        world.wait(0.1)
        assert not bob.seen("ada").connected

    def test_the_last_sign_of_life_counts_from_the_store(self) -> None:
        world = World(BoardLimits(), now=10)
        ada, bob = world.connect("ada"), world.connect("bob")
        world.wait(100)
        world.heartbeat(ada)
        world.heartbeat(bob)
        world.wait(150)
        world.restart()
        bob = world.resume(bob)
        world.wait(149.9)
        assert reasons(bob) == []
        world.wait(0.1)
        assert reasons(bob) == [("ada", LeaveReason.TIMEOUT)]

    def test_pongs_alone_keep_a_session_over_a_restart(self) -> None:
        world = World(BoardLimits(), now=10)
        ada = world.connect("ada")
        for _ in range(30):
            world.wait(20)
            world.pong(ada)
        world.wait(1)
        world.restart()
        assert world.listed() == ["ada"]

    def test_a_session_that_outlived_its_time_while_the_server_was_down_is_closed(self) -> None:
        world = World(BoardLimits(), now=10)
        ada = world.connect("ada")
        world.wait(1)
        world.now += 299
        world.restart()
        assert world.listed() == []
        assert world.rows[ada.session_id].disconnected_at == EPOCH_MS + 310_000

    def test_with_a_lower_capacity_keeps_the_longest_present(self) -> None:
        world = World(BoardLimits(capacity=3), now=10)
        for name in ("ada", "bob", "cyd"):
            world.connect(name)
            world.wait(1)
        tab = world.connect("ada")
        world.wait(1)
        world.restart(BoardLimits(capacity=1))
        assert world.listed() == ["ada"]
        assert world.room.seats_taken == 1
        assert world.resume(tab).has_joined()
        assert len(world.open_rows()) == 2

    def test_gives_the_seats_nobody_came_back_to_to_those_who_wait(self) -> None:
        world = World(BoardLimits(capacity=1), now=10)
        world.connect("ada")
        world.wait(1)
        world.restart()
        bob = world.connect("bob")
        assert bob.position == 1
        world.wait(45)
        assert bob.has_joined()

    def test_with_the_store_down_admits_those_who_wait_when_their_session_comes_back(
        self,
    ) -> None:
        world = World(BoardLimits(capacity=2), now=10)
        ada = world.connect("ada")
        world.wait(1)
        world.restart(store_is_up=False)
        cyd = world.connect("cyd")
        world.auto = False
        world.connect("dee")
        waiting = world.connect("ada")
        assert waiting.position == 1
        world.leave(cyd)
        world.store_comes_back()
        assert world.room.queue_length == 0
        assert world.room.seats_taken == 2
        world.commit(waiting)
        assert waiting.has_joined()
        assert world.resume(ada).session_id == ada.session_id

    def test_leaves_alone_whom_the_room_knows_already(self) -> None:
        world = World(BoardLimits(), now=10)
        world.connect("ada")
        world.wait(1)
        world.restart()
        world.dormant = world.open_rows()
        assert world.store_comes_back() == []

    def test_the_newest_metadata_survives_in_whichever_row_is_left(self) -> None:
        world = World(BoardLimits(commit_wait_s=5), now=10, auto=False)
        first = world.connect("ada")
        world.commit(first)
        second = world.connect("ada")
        world.update(first, metadata=b'{"a":1}')
        world.wait(1)
        world.commit(second)
        world.leave(first)
        world.wait(1)
        world.restart()
        shown = world.user("ada")
        assert shown is not None
        assert shown.metadata == Raw(b'{"a":1}')

    def test_a_tab_keeps_its_own_status(self) -> None:
        world = World(BoardLimits(), now=10)
        first, second = world.connect("ada"), world.connect("ada")
        world.update(first, status=AWAY)
        world.wait(1)
        assert world.rows[first.session_id].status is AWAY
        assert world.rows[second.session_id].status is ONLINE


class TestCursors:
    def test_are_sent_newest_only_at_most_once_an_interval_to_the_whole_board(
        self, board: World
    ) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.update(ada, cursor=Cursor(0, 0))
        board.wait(0)
        for step in range(1, 5):
            board.update(ada, cursor=Cursor(step, step))
            board.update(bob, cursor=Cursor(-step, 0))
            board.wait(0.01)
        board.wait(0.01)
        sent = [m.payload.cursors for m in ada.inbox if isinstance(m, PresenceCursors)]
        assert sent == [[("ada", 0, 0)], [("ada", 4, 4), ("bob", -4, 0)]]
        assert bob.of(PresenceCursors) == ada.of(PresenceCursors)

    def test_that_went_away_are_null(self, board: World) -> None:
        ada = board.connect("ada")
        board.update(ada, cursor=Cursor(1, 1))
        board.wait(1)
        board.update(ada, cursor=None)
        board.wait(1)
        assert ada.of(PresenceCursors)[-1].payload.cursors == [("ada", None, None)]  # type: ignore[union-attr]

    def test_of_somebody_who_left_are_not_sent_after_the_leave(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.update(ada, cursor=Cursor(1, 1))
        board.leave(ada)
        board.wait(1)
        assert bob.of(PresenceCursors) == []


class TestBroadcasts:
    def test_of_a_change_reach_the_sender_too(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        board.update(ada, metadata=b'{"tool":"pen"}')
        assert len(told(ada, "ada")) == len(told(bob, "ada")) == 1

    def test_of_the_same_metadata_are_not_repeated(self, board: World) -> None:
        ada = board.connect("ada")
        board.update(ada, metadata=b"{}")
        board.update(ada, metadata=b"{}")
        board.update(ada, metadata=None)
        assert [m.payload.metadata for m in told(ada, "ada")] == [Raw(b"{}"), NO_METADATA]

    def test_of_a_join_go_to_the_others_only(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        assert [m.payload.user.user_id for m in ada.inbox if isinstance(m, UserJoined)] == ["bob"]
        assert bob.of(UserJoined) == []

    def test_stop_before_a_close(self, board: World) -> None:
        ada, _ = board.connect("ada"), board.connect("bob")
        effects = board.kick("ada")
        closed = next(i for i, e in enumerate(effects) if isinstance(e, Close))
        assert all(not isinstance(e, Broadcast | Send) for e in effects[:closed])
        assert ada.kinds()[-1] == "UserJoined"
