"""The waiting queue: first in, first out, one place for each user."""

from __future__ import annotations

from presence_server.core.roster import Session
from presence_server.core.waiting_queue import WaitingQueue
from presence_server.protocol.profile import clean_profile


def session(user_id: str, session_id: str = "", *, there: bool = True) -> Session:
    found = Session(session_id or f"s-{user_id}", clean_profile(user_id), 0.0, 0)
    found.connection = 1 if there else None
    return found


def queue_of(*user_ids: str) -> WaitingQueue:
    queue = WaitingQueue()
    for user_id in user_ids:
        queue.add(session(user_id), 1000)
    return queue


def order(queue: WaitingQueue) -> list[str]:
    return [place.user_id for place in queue]


def test_users_stand_in_order_of_arrival() -> None:
    queue = queue_of("cyd", "ada", "bob")
    assert order(queue) == ["cyd", "ada", "bob"]
    assert [queue.position(user_id) for user_id in ("cyd", "ada", "bob")] == [1, 2, 3]
    assert len(queue) == 3


def test_another_tab_shares_the_place() -> None:
    queue = queue_of("ada", "bob")
    queue.add(session("ada", "second"), 2000)
    assert order(queue) == ["ada", "bob"]
    place = queue.get("ada")
    assert place is not None
    assert list(place.sessions) == ["s-ada", "second"]


def test_a_place_goes_with_its_last_session() -> None:
    queue = WaitingQueue()
    tabs = [session("ada", name) for name in ("one", "two")]
    for tab in tabs:
        queue.add(tab, 0)
    queue.discard(tabs[0])
    assert order(queue) == ["ada"]
    queue.discard(tabs[1])
    assert queue.get("ada") is None


def test_the_next_is_the_first_user_with_a_connection() -> None:
    queue = WaitingQueue()
    queue.add(session("ada", there=False), 0)
    queue.add(session("bob"), 0)
    place = queue.pop_next()
    assert place is not None
    assert place.user_id == "bob"
    assert order(queue) == ["ada"]
    assert queue.pop_next() is None


def test_a_user_is_taken_out_with_all_tabs() -> None:
    queue = queue_of("ada", "bob")
    queue.add(session("ada", "second"), 0)
    assert [tab.session_id for tab in queue.take("ada")] == ["s-ada", "second"]
    assert order(queue) == ["bob"]
    assert queue.take("ada") == []


def test_a_user_who_waited_before_a_restart_has_the_same_place_again() -> None:
    queue = queue_of("new")
    queue.add(session("second"), 1000, since_ms=200)
    queue.add(session("first"), 1000, since_ms=100)
    queue.add(session("newer"), 1000)
    assert order(queue) == ["first", "second", "new", "newer"]


def test_a_clock_set_back_lets_nobody_overtake() -> None:
    queue = queue_of("ada")
    queue.add(session("bob"), 1)
    queue.add(session("cyd"), 1)
    assert order(queue) == ["ada", "bob", "cyd"]


def test_the_users_who_are_connected_are_counted() -> None:
    queue = WaitingQueue()
    tabs = [session("ada", "one"), session("ada", "two", there=False), session("bob", there=False)]
    for tab in tabs:
        queue.add(tab, 0)
    assert queue.attached == 1
    tabs[2].connection = 3
    queue.note(tabs[2])
    assert queue.attached == 2
    tabs[0].connection = None
    queue.note(tabs[0])
    assert queue.attached == 1
    tabs[1].connection = 2
    queue.note(tabs[1])
    queue.discard(tabs[1])
    assert (queue.attached, len(queue)) == (1, 2)
    assert queue.pop_next() is not None
    queue.discard(tabs[0])
    assert (queue.attached, len(queue)) == (0, 0)


def test_positions_change_when_somebody_goes_and_not_when_somebody_comes_last() -> None:
    queue, moved = queue_of("ada", "bob", "cyd"), list[bool]()
    queue.add(session("bob", "second"), 0)
    moved.append(queue.has_moved)
    queue.take("bob")
    moved.append(queue.has_moved)
    queue.has_moved = False
    queue.add(session("dee"), 2000)
    moved.append(queue.has_moved)
    queue.add(session("eve"), 2000, since_ms=5)
    moved.append(queue.has_moved)
    assert moved == [False, True, False, True]
