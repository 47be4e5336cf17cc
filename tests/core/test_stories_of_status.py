"""Section 6 of the protocol: the watchdog, several tabs, and what the board is told."""

from __future__ import annotations

import pytest
from msgspec import Raw

from presence_server.core.effects import Broadcast, Close, Send
from presence_server.protocol.messages import (
    NO_METADATA,
    PresenceChanged,
    PresenceCursors,
    UserJoined,
)
from presence_server.protocol.model import Cursor, LeaveReason
from tests.core.watching import reasons, told
from tests.core.world import AWAY, EPOCH_MS, IDLE, ONLINE, World
from tests.limits import board_limits


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
        board.wait(1)
        board.leave(second)
        assert first.seen("ada").status is AWAY

    def test_a_status_that_does_not_change_is_not_sent(self, board: World) -> None:
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
        board.wait(1)
        assert first.seen("ada").cursor == Cursor(2, 2)
        assert first.seen("ada").metadata == Raw(b'{"a":2}')

    def test_the_cursor_goes_with_its_tab_and_metadata_stay(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        board.update(second, cursor=Cursor(2, 2), metadata=b'{"a":2}')
        board.wait(1)
        board.leave(second)
        board.wait(1)
        assert first.seen("ada").cursor is None
        assert first.seen("ada").metadata == Raw(b'{"a":2}')

    @pytest.mark.parametrize("cursor", [Cursor(2, 2), None])
    def test_the_cursor_of_the_tab_that_moved_before_is_back(
        self, board: World, cursor: Cursor | None
    ) -> None:
        first, second, third = (board.connect("ada") for _ in range(3))
        for wire, position in ((first, Cursor(1, 1)), (third, Cursor(3, 3)), (second, cursor)):
            board.update(wire, cursor=position)
            board.wait(1)
        board.leave(second)
        board.wait(1)
        assert first.seen("ada").cursor == Cursor(3, 3)
        board.leave(first)
        board.wait(1)
        assert third.seen("ada").cursor == Cursor(3, 3)

    def test_a_tab_that_only_dropped_keeps_its_cursor(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        board.update(second, cursor=Cursor(2, 2))
        board.drop(second)
        board.wait(100)
        assert first.seen("ada").cursor == Cursor(2, 2)

    def test_the_row_of_the_tab_that_moved_has_the_cursor(self, board: World) -> None:
        first, second = board.connect("ada"), board.connect("ada")
        board.update(first, cursor=Cursor(1, 1))
        board.update(second, cursor=Cursor(1, 1))
        board.wait(5)
        rows = {wire: board.rows[wire.session_id].cursor for wire in (first, second)}
        assert rows == {first: None, second: Cursor(1, 1)}
        board.leave(second)
        board.wait(5)
        assert board.rows[first.session_id].cursor == Cursor(1, 1)

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
        board.wait(1)
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
        world = World(board_limits(), auto=False)
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
        world = World(board_limits(), auto=False)
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

    def test_removed_ones_are_null(self, board: World) -> None:
        ada = board.connect("ada")
        board.update(ada, cursor=Cursor(1, 1))
        board.wait(1)
        board.update(ada, cursor=None)
        board.wait(1)
        assert ada.of(PresenceCursors)[-1].payload.cursors == [("ada", None, None)]  # type: ignore[union-attr]

    def test_of_a_user_who_left_are_not_sent_after_the_leave(self, board: World) -> None:
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
        board.wait(1)
        board.update(ada, metadata=None)
        assert [m.payload.metadata for m in told(ada, "ada")] == [Raw(b"{}"), NO_METADATA]

    def test_of_one_user_come_no_more_often_than_of_cursors_and_are_the_newest(
        self, board: World
    ) -> None:
        tabs = [board.connect("ada") for _ in range(3)]
        bob = board.connect("bob")
        for number in range(100):
            board.update(tabs[number % 3], metadata=b"%d" % number)
        assert [bytes(m.payload.metadata) for m in told(bob, "ada")] == [b"0"]
        board.wait(0.049)
        assert len(told(bob, "ada")) == 1
        board.wait(0.001)
        assert [bytes(m.payload.metadata) for m in told(bob, "ada")] == [b"0", b"99"]
        board.wait(1)
        assert len(told(bob, "ada")) == 2

    def test_of_different_users_do_not_wait_for_each_other(self, board: World) -> None:
        members = [board.connect(f"user-{number}") for number in range(5)]
        for member in members:
            board.update(member, metadata=b"{}")
        assert len(members[0].of(PresenceChanged)) == 5

    def test_that_wait_are_not_sent_after_the_user_left_or_changed_back(self, board: World) -> None:
        ada, bob = board.connect("ada"), board.connect("bob")
        for metadata in (b"{}", b'{"n":1}'):
            board.update(ada, metadata=metadata)
        board.leave(ada)
        board.wait(1)
        assert bob.kinds()[-2:] == ["PresenceChanged", "UserLeft"]
        for status in (AWAY, ONLINE, AWAY):
            board.update(bob, status=status)
        board.wait(1)
        assert [m.payload.status for m in told(bob, "bob")] == [AWAY]

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
