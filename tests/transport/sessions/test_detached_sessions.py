"""Sessions that an address left behind, counted until somebody comes back or time is up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.sessions.detached_sessions import DetachedSessions

KEPT_S = 300.0
HERE, THERE = "192.0.2.1", "2001:db8::/64"


def test_an_address_is_full_when_it_left_as_many_as_it_may() -> None:
    detached = DetachedSessions(2, KEPT_S)
    detached.drop("a", HERE, 0)
    assert not detached.is_full(HERE, 0)
    detached.drop("b", HERE, 1)
    assert detached.is_full(HERE, 1)
    assert not detached.is_full(THERE, 1)


def test_coming_back_makes_room_and_only_once() -> None:
    detached = DetachedSessions(2, KEPT_S)
    detached.drop("a", HERE, 0)
    detached.drop("b", HERE, 0)
    for _ in range(3):
        detached.resume("a")
    assert not detached.is_full(HERE, 0)
    detached.drop("c", HERE, 0)
    assert detached.is_full(HERE, 0)


def test_coming_back_to_what_never_dropped_makes_no_room() -> None:
    detached = DetachedSessions(1, KEPT_S)
    detached.drop("a", HERE, 0)
    detached.resume("attached-all-the-time")
    assert detached.is_full(HERE, 0)


def test_a_session_that_drops_again_counts_once_and_anew() -> None:
    detached = DetachedSessions(2, KEPT_S)
    detached.drop("a", HERE, 0)
    detached.drop("a", THERE, 100)
    assert len(detached) == 1
    detached.drop("b", THERE, 100)
    assert detached.is_full(THERE, 399)
    assert not detached.is_full(THERE, 400)


def test_nothing_is_left_when_the_time_is_up() -> None:
    detached = DetachedSessions(1, KEPT_S)
    detached.drop("a", HERE, 0)
    assert detached.is_full(HERE, 299.9)
    assert not detached.is_full(HERE, 300)
    assert len(detached) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["drop", "resume"]),
            st.sampled_from("abcdef"),
            st.sampled_from([HERE, THERE]),
            st.sampled_from([0.0, 1.0, 150.0, 301.0]),
        ),
        max_size=40,
    )
)
def test_it_counts_what_one_would_count_by_hand(
    steps: list[tuple[str, str, str, float]],
) -> None:
    detached = DetachedSessions(2, KEPT_S)
    plain: dict[str, tuple[str, float]] = {}
    now = 0.0
    for what, session_id, address, pause in steps:
        now += pause
        if what == "drop":
            detached.drop(session_id, address, now)
            plain[session_id] = address, now + KEPT_S
        else:
            detached.resume(session_id)
            plain.pop(session_id, None)
        for place in (HERE, THERE):
            count = sum(1 for where, until in plain.values() if where == place and until > now)
            assert detached.is_full(place, now) is (count >= 2)
