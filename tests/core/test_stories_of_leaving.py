"""Section 6 of the protocol: leaves, drops, reclaimed seats, kicks, and coming back in time."""

from __future__ import annotations

import pytest

from presence_server.core.effects import CloseRow
from presence_server.protocol.errors import CloseCode
from presence_server.protocol.messages import BoardJoined
from presence_server.protocol.model import LeaveReason
from tests.core.watching import reasons, told
from tests.core.world import AWAY, World
from tests.limits import board_limits


class TestCleanLeave:
    def test_ends_the_session_at_once(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        effects = board.leave(ada)
        assert reasons(bob) == [("ada", LeaveReason.DISCONNECT)]
        assert [e for e in effects if isinstance(e, CloseRow)]
        assert board.listed() == ["bob"]

    def test_leaves_a_row_that_knows_the_last_word(self, board: World) -> None:
        ada = board.connect("ada")
        board.wait(10)
        board.update(ada, status=AWAY, metadata=b'{"page":3}')
        board.leave(ada)
        row = board.rows[ada.session_id]
        assert (row.status, row.metadata) == (AWAY, b'{"page":3}')
        assert row.last_heartbeat_at == row.disconnected_at

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
        world = World(board_limits(capacity=2))
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
        world = World(board_limits(capacity=3, timeout_s=1000))
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

    def test_admits_no_waiting_user_without_a_connection(self, bench: World) -> None:
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

    def test_is_a_sign_of_life(self, board: World) -> None:
        ada = board.connect("ada")
        board.drop(ada)
        board.wait(299)
        back = board.resume(ada)
        board.wait(299)
        assert back.closed is None

    def test_forgets_how_the_connection_before_was_lost(self, board: World) -> None:
        ada = board.connect("ada")
        board.close_page(ada)
        board.wait(1)
        back = board.resume(ada)
        board.wait(10)
        board.drop(back)
        board.wait(10)
        assert board.resume(back).session_id == ada.session_id


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

    def test_ends_a_user_who_is_still_admitting(self) -> None:
        world = World(board_limits(), auto=False)
        ada = world.connect("ada")
        world.commit(ada)
        bob = world.connect("bob")
        world.kick("bob")
        assert bob.closed == CloseCode.KICKED
        assert ada.kinds() == ["BoardJoined"]

    def test_of_an_unknown_user_does_nothing(self, board: World) -> None:
        assert board.kick("nobody") == []

    def test_frees_the_seat_for_the_queue(self, bench: World) -> None:
        bench.connect("ada")
        bob = bench.connect("bob")
        bench.kick("ada")
        assert bob.has_joined()
