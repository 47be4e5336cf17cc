"""Section 6 of the protocol: a server that goes down and comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import Raw

from presence_server.protocol.messages import BoardJoined
from presence_server.protocol.model import Cursor, LeaveReason
from tests.core.watching import reasons
from tests.core.world import AWAY, EPOCH_MS, ONLINE, Wire, World
from tests.limits import board_limits


class TestServerRestart:
    def test_a_resume_in_time_causes_no_leave_and_no_join(self) -> None:
        world = World(board_limits(), now=10)
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
        world = World(board_limits(capacity=2), now=10)
        ada = world.connect("ada", display_name="Ada", color="#123456")
        world.update(ada, status=AWAY, metadata=b'{"a":1}', cursor=Cursor(1, 2))
        world.wait(1)
        before = world.user("ada")
        world.restart()
        assert world.user("ada") == before
        assert world.room.seats_taken == 1

    def test_a_drop_counts_from_the_start(self) -> None:
        world = World(board_limits(), now=10)
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
        world = World(board_limits(), now=10)
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
        world = World(board_limits(), now=10)
        ada = world.connect("ada")
        for _ in range(30):
            world.wait(20)
            world.pong(ada)
        world.wait(1)
        world.restart()
        assert world.listed() == ["ada"]

    def test_a_session_that_outlived_its_time_while_the_server_was_down_is_closed(self) -> None:
        world = World(board_limits(), now=10)
        ada = world.connect("ada")
        world.wait(1)
        world.now += 299
        world.restart()
        assert world.listed() == []
        assert world.rows[ada.session_id].disconnected_at == EPOCH_MS + 310_000

    def test_with_a_lower_capacity_keeps_the_longest_present(self) -> None:
        world = World(board_limits(capacity=3), now=10)
        for name in ("ada", "bob", "cyd"):
            world.connect(name)
            world.wait(1)
        tab = world.connect("ada")
        world.wait(1)
        world.restart(board_limits(capacity=1))
        assert world.listed() == ["ada"]
        assert world.room.seats_taken == 1
        assert world.resume(tab).has_joined()
        assert len(world.open_rows()) == 2

    def test_seats_of_users_who_did_not_come_back_go_to_the_queue(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        world.wait(1)
        world.restart()
        bob = world.connect("bob")
        assert bob.position == 1
        world.wait(45)
        assert bob.has_joined()

    def test_a_waiting_user_is_admitted_when_the_store_brings_back_the_old_session(
        self,
    ) -> None:
        world = World(board_limits(capacity=2), now=10)
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

    def test_changes_made_while_the_store_was_down_survive_the_next_restart(self) -> None:
        world = World(board_limits(), now=10)
        ada = world.connect("ada")
        world.update(ada, metadata=b'{"a":1}')
        world.wait(1)
        world.restart(store_is_up=False)
        again = world.connect("ada")
        world.update(again, metadata=b'{"a":2}')
        world.wait(1)
        world.store_comes_back()
        world.wait(1)
        world.restart()
        shown = world.user("ada")
        assert shown is not None
        assert shown.metadata == Raw(b'{"a":2}')

    def test_a_cursor_that_the_store_brings_back_is_shown_to_the_board(self) -> None:
        world = World(board_limits(), now=10)
        ada = world.connect("ada")
        world.update(ada, cursor=Cursor(1, 2))
        world.wait(1)
        world.restart(store_is_up=False)
        world.connect("ada")
        ben = world.connect("ben")
        world.store_comes_back()
        world.wait(1)
        assert ben.mirror is not None
        assert ben.mirror["ada"].cursor == Cursor(1, 2)

    def test_leaves_alone_whom_the_room_knows_already(self) -> None:
        world = World(board_limits(), now=10)
        world.connect("ada")
        world.wait(1)
        world.restart()
        world.dormant = world.open_rows()
        assert world.store_comes_back() == []

    def test_the_newest_metadata_survives_in_whichever_row_is_left(self) -> None:
        world = World(board_limits(commit_wait_s=5), now=10, auto=False)
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
        world = World(board_limits(), now=10)
        first, second = world.connect("ada"), world.connect("ada")
        world.update(first, status=AWAY)
        world.wait(1)
        assert world.rows[first.session_id].status is AWAY
        assert world.rows[second.session_id].status is ONLINE

    def test_keeps_the_places_in_the_queue(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        world.wait(1)
        world.restart()
        bob = world.connect("bob")
        eve = world.return_with_ticket("eve", "eve-1", EPOCH_MS + 2000)
        dee = world.return_with_ticket("dee", "dee-1", EPOCH_MS + 1000)
        world.wait(1)
        assert [wire.position for wire in (dee, eve, bob)] == [1, 2, 3]
        assert (dee.session_id, eve.session_id) == ("dee-1", "eve-1")

    def test_gives_a_ticket_to_one_connection_only(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        bob = world.return_with_ticket("bob", "bob-1", EPOCH_MS)
        other = world.return_with_ticket("eve", "bob-1", EPOCH_MS)
        assert bob.session_id == "bob-1"
        assert other.session_id != "bob-1"


class TestPlacesThatTheStoreRemembers:
    def test_a_place_that_begins_is_stored_with_its_time(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        world.return_with_ticket("bob", "bob-1", EPOCH_MS + 2)
        world.return_with_ticket("cyd", "cyd-1", EPOCH_MS + 1)
        assert world.newest_place_ms == EPOCH_MS + 2
        assert world.ended_places == {}

    @pytest.mark.parametrize("end", [World.leave, World.close_page, World.drop])
    def test_the_end_of_a_place_is_stored_when_its_last_tab_is_gone(
        self, end: Callable[[World, Wire], object]
    ) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        bob = world.return_with_ticket("bob", "bob-1", EPOCH_MS + 1)
        tab = world.return_with_ticket("bob", "bob-2", EPOCH_MS + 7)
        end(world, bob)
        world.wait(60)
        assert world.ended_places == {}
        end(world, tab)
        world.wait(60)
        assert world.ended_places == {"bob": EPOCH_MS + 7}

    def test_a_kick_ends_the_place(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        world.return_with_ticket("bob", "bob-1", EPOCH_MS + 1)
        world.kick("bob")
        assert world.ended_places == {"bob": EPOCH_MS + 1}

    def test_a_seat_ends_the_place(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        ada = world.connect("ada")
        world.return_with_ticket("bob", "bob-1", EPOCH_MS + 1)
        world.leave(ada)
        assert world.listed() == ["bob"]
        assert world.ended_places == {"bob": EPOCH_MS + 1}

    def test_a_seat_that_the_store_brings_back_ends_the_place(self) -> None:
        world = World(board_limits(capacity=2), now=10)
        world.connect("ada")
        world.wait(1)
        world.restart(store_is_up=False)
        cyd = world.connect("cyd")
        world.connect("dee")
        world.return_with_ticket("ada", "ada-1", EPOCH_MS + 1)
        world.auto = False
        world.leave(cyd)
        assert world.ended_places == {}
        world.store_comes_back()
        assert world.ended_places == {"ada": EPOCH_MS + 1}

    def test_a_restart_of_the_server_ends_no_place(self) -> None:
        world = World(board_limits(capacity=1), now=10)
        world.connect("ada")
        world.return_with_ticket("bob", "bob-1", EPOCH_MS + 1)
        world.restart()
        assert world.ended_places == {}
