"""Alarms: the earliest stands, stale ones are silent, memory follows the keys."""

from __future__ import annotations

import math
import sys

from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.timers import Timers


def ring(timers: Timers[str], now: float) -> list[str]:
    rung = []
    while (key := timers.pop_due(now)) is not None:
        rung.append(key)
    return rung


def test_without_an_alarm_the_next_is_never() -> None:
    timers: Timers[str] = Timers()
    assert timers.next() == math.inf


def test_rings_at_its_time_and_once() -> None:
    timers: Timers[str] = Timers()
    timers.arm("a", 2.0)
    assert ring(timers, 1.999) == []
    assert ring(timers, 2.0) == ["a"]
    assert ring(timers, 9.0) == []


def test_rings_in_order_of_time_then_of_arming() -> None:
    timers: Timers[str] = Timers()
    for key, at in (("late", 3.0), ("first", 1.0), ("second", 1.0)):
        timers.arm(key, at)
    assert ring(timers, 5.0) == ["first", "second", "late"]


def test_an_earlier_alarm_of_the_key_stands() -> None:
    timers: Timers[str] = Timers()
    timers.arm("a", 1.0)
    timers.arm("a", 5.0)
    assert timers.next() == 1.0


def test_an_earlier_alarm_replaces_the_later_which_is_then_silent() -> None:
    timers: Timers[str] = Timers()
    timers.arm("a", 5.0)
    timers.arm("a", 1.0)
    assert ring(timers, 9.0) == ["a"]


def test_a_disarmed_alarm_is_silent() -> None:
    timers: Timers[str] = Timers()
    timers.arm("a", 1.0)
    timers.disarm("a")
    timers.disarm("never armed")
    assert timers.next() == math.inf
    assert ring(timers, 9.0) == []


def test_memory_follows_the_keys_and_not_the_churn() -> None:
    timers: Timers[str] = Timers()
    timers.arm("stays", 1e6)
    for at in range(100_000, 0, -1):
        timers.arm("moves", float(at))
    assert sys.getsizeof(timers._heap) < 10_000
    assert ring(timers, 1.0) == ["moves"]
    assert ring(timers, 2e6) == ["stays"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["arm", "disarm", "wait"]), st.sampled_from("abc"), st.integers(0, 9)
        ),
        max_size=60,
    )
)
def test_rings_the_same_keys_as_a_plain_dictionary(moves: list[tuple[str, str, int]]) -> None:
    timers: Timers[str] = Timers()
    plain: dict[str, float] = {}
    now = 0.0
    for move, key, number in moves:
        if move == "arm":
            timers.arm(key, now + number)
            plain[key] = min(plain.get(key, math.inf), now + number)
        elif move == "disarm":
            timers.disarm(key)
            plain.pop(key, None)
        else:
            now += number
            due = {k for k, at in plain.items() if at <= now}
            assert set(ring(timers, now)) == due
            plain = {k: at for k, at in plain.items() if k not in due}
        assert timers.next() == min(plain.values(), default=math.inf)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["arm", "disarm", "next", "pop"]))))
def test_looking_at_the_earliest_time_misses_no_alarm(moves: list[tuple[int, str]]) -> None:
    timers: Timers[int] = Timers()
    for number, (key, move) in enumerate(moves):
        if move == "arm":
            timers.arm(key, (number * 7) % 11)
        elif move == "disarm":
            timers.disarm(key)
        elif move == "next":
            assert timers.next() == timers.earliest
        else:
            timers.pop_due(6)
        before = timers.earliest
        assert before <= timers.next()


def test_a_delay_moves_all_alarms_but_those_that_are_named() -> None:
    timers: Timers[str] = Timers()
    for key, at in (("a", 1), ("b", 2), ("c", 3), ("b", 1.5)):
        timers.arm(key, at)
    timers.delay(10, without=lambda key: key == "c")
    assert timers.earliest == timers.next() == 3
    assert [timers.pop_due(now) for now in (3, 10, 11, 11.5, 100)] == ["c", None, "a", "b", None]
    timers.delay(10)
    assert timers.next() == math.inf
