"""The model client of `make soak ARGS=--model` finds the violations that it looks for."""

from __future__ import annotations

from benchmarks.model_queue import DUE_S, QueueOrder
from benchmarks.model_replica import Event, Replica
from benchmarks.model_rows import differences_of_rows


def user(name: str, **parts: object) -> dict[str, object]:
    known: dict[str, object] = {"status": "online", "connected": True, "cursor": None}
    return {"user_id": name, "metadata": None} | known | parts


def replica(*names: str, capacity: int = 3) -> Replica:
    found = Replica(capacity)
    assert found.replace(map(user, names)) == []
    return found


class TestReplica:
    def test_follows_the_events_of_a_board(self) -> None:
        board = replica("ada")
        changed = {"status": "away", "connected": False, "metadata": {"n": 1}}
        events: list[tuple[str, Event]] = [
            ("user:joined", {"user": user("bob")}),
            ("presence:update", {"user_id": "bob", **changed}),
            ("presence:cursors", {"cursors": [["bob", 1.0, 2.0], ["ada", None, None]]}),
            ("user:left", {"user_id": "ada"}),
            ("heartbeat:ack", {}),
        ]
        assert [problem for kind, payload in events for problem in board.apply(kind, payload)] == []
        assert board.users == {"bob": {**changed, "cursor": {"x": 1.0, "y": 2.0}}}

    def test_finds_a_user_who_joins_twice_or_leaves_twice(self) -> None:
        board = replica("ada")
        assert board.apply("user:joined", {"user": user("ada")})
        assert board.apply("user:left", {"user_id": "ada"}) == []
        assert board.apply("user:left", {"user_id": "ada"})
        assert board.replace([user("bob"), user("bob")])

    def test_finds_more_users_than_seats(self) -> None:
        board = replica("ada", "bob", capacity=2)
        assert board.apply("user:joined", {"user": user("cy")}) == ["3 users on a board for 2"]
        assert board.replace(map(user, ["ada", "bob", "cy"]))

    def test_finds_events_of_users_who_are_not_there(self) -> None:
        board = replica("ada")
        changed = {"status": "away", "connected": True, "metadata": None}
        assert board.apply("presence:update", {"user_id": "bob", **changed})
        assert board.apply("presence:cursors", {"cursors": [["bob", 1.0, 2.0]]})

    def test_names_each_difference_from_another_list(self) -> None:
        board = replica("ada", "bob")
        other = replica("bob", "cy")
        other.users["bob"]["status"] = "idle"
        assert board.differences(other.users) == [
            "cy is missing",
            "ada is too many",
            "bob: status is online, not idle",
        ]


class TestQueueOrder:
    def queue(self) -> QueueOrder:
        """Ada waits before Bob."""
        queue = QueueOrder(grace_s=4.0)
        assert queue.waits("ada", 0.0, 0.1, 1, is_new=True) == []
        assert queue.waits("bob", 0.2, 0.3, 2, is_new=True) == []
        return queue

    def test_takes_seats_in_order_whichever_is_heard_of_first(self) -> None:
        queue = self.queue()
        assert queue.seated("bob", at_ms=2000, now=1.0) == []
        assert queue.seated("ada", at_ms=1999, now=1.1) == []

    def test_finds_a_seat_that_went_to_a_later_one(self) -> None:
        queue = self.queue()
        queue.seated("bob", at_ms=2000, now=1.0)
        assert queue.seated("ada", at_ms=2001, now=1.1)

    def test_finds_somebody_who_was_passed_over_and_waits_on(self) -> None:
        queue = self.queue()
        queue.seated("bob", at_ms=2000, now=1.0)
        assert queue.overdue(1.0 + DUE_S) == []
        assert queue.overdue(1.1 + DUE_S)

    def test_forgives_when_a_connection_broke_meanwhile(self) -> None:
        queue = self.queue()
        queue.broke("ada")
        queue.seated("bob", at_ms=2000, now=1.0)
        assert queue.overdue(1.1 + DUE_S) == []
        assert queue.seated("ada", at_ms=2001, now=5.0) == []

    def test_finds_a_place_that_moves_back(self) -> None:
        queue = self.queue()
        assert queue.waits("bob", 0.2, 1.0, 1, is_new=True) == []
        assert queue.waits("bob", 0.2, 2.0, 2, is_new=True)

    def test_finds_an_order_that_a_restart_turned_round(self) -> None:
        queue = self.queue()
        known = queue.restarted(1.0)
        queue.waits("bob", 2.0, 2.1, 1, is_new=False)
        queue.waits("ada", 2.0, 2.1, 2, is_new=False)
        assert queue.out_of_order(known) == ["after the restart bob stands before ada"]


def row(metadata: object, cursor: object = None) -> dict[str, object]:
    return {"cursor": cursor, "metadata": metadata}


def test_every_row_of_a_user_must_have_the_metadata_and_one_the_cursor() -> None:
    here = {"x": 1, "y": 2}
    listed = {"ada": row({"n": 2}, here)}
    assert differences_of_rows({"ada": [row({"n": 2}, here), row({"n": 2})]}, listed) == []
    (found,) = differences_of_rows({"ada": [row({"n": 2}, here), row({"n": 1})]}, listed)
    assert found.startswith("ada: metadata")
    (found,) = differences_of_rows({"ada": [row({"n": 2}), row({"n": 2})]}, listed)
    assert found.startswith("ada: cursor")


def test_rows_of_nobody_and_nobody_in_the_rows_are_found() -> None:
    assert differences_of_rows({"bob": [row(None)]}, {"ada": row(None)}) == [
        "ada is missing",
        "bob is too many",
    ]
