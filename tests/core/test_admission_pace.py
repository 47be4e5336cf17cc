"""The estimate of how long a user waits for a seat."""

from __future__ import annotations

from presence_server.core.admission_pace import ADMISSIONS, MAX_AGE_S, AdmissionPace
from presence_server.core.events import Stalled
from presence_server.protocol.messages import BoardQueued
from tests.core.world import Wire, World


def pace(*times: float) -> AdmissionPace:
    made = AdmissionPace()
    for at in times:
        made.admitted(at)
    return made


def etas(wire: Wire) -> list[float | None]:
    """The estimates that a connection was sent."""
    return [m.payload.eta_s for m in wire.inbox if isinstance(m, BoardQueued)]


def test_is_not_known_before_the_second_admission() -> None:
    assert pace().eta_s(1, 100) is None
    assert pace(10).eta_s(1, 100) is None


def test_is_the_time_between_admissions_for_each_place() -> None:
    assert pace(0, 10, 20).eta_s(1, 20) == 10
    assert pace(0, 10, 20).eta_s(3, 20) == 30


def test_gets_longer_while_nobody_is_admitted() -> None:
    assert pace(0, 10).eta_s(1, 50) == 50


def test_is_a_second_at_least() -> None:
    assert pace(5, 5).eta_s(1, 5) == 1


def test_follows_the_newest_admissions() -> None:
    slow_then_fast = [n * 100.0 for n in range(9)] + [801.0 + n for n in range(ADMISSIONS)]
    assert pace(*slow_then_fast).eta_s(1, 808) == 1


def test_forgets_what_was_long_ago() -> None:
    assert pace(0, 1).eta_s(1, 2 * MAX_AGE_S) is None


def test_a_time_that_does_not_count_is_left_out() -> None:
    stalled = pace(0, 10)
    stalled.delay(100)
    assert stalled.eta_s(1, 110) == 10


def test_is_sent_with_each_position(bench: World) -> None:
    seated = [bench.connect("ada")]
    waiting = [bench.connect(f"u{n}") for n in range(6)]
    assert etas(waiting[-1]) == [None]
    for wire in waiting[:3]:
        bench.wait(10)
        bench.leave(seated.pop())
        seated.append(wire)
    bench.wait(1)
    assert etas(waiting[-1])[:2] == [None, None]
    # It is the third now, and 10 seconds pass between two admissions.
    assert etas(waiting[-1])[-1] == 30


def test_begins_anew_with_another_queue(bench: World) -> None:
    seated = bench.connect("ada")
    for name in ("bob", "cyd"):
        next_ = bench.connect(name)
        bench.leave(seated)
        seated = next_
    assert etas(bench.connect("dee")) == [None]


def test_a_server_that_stood_still_does_not_make_it_longer(bench: World) -> None:
    seated = bench.connect("ada")
    waiting = [bench.connect(name) for name in ("bob", "cyd", "dee", "eve")]
    for wire in waiting[:2]:
        bench.wait(10)
        bench.leave(seated)
        seated = wire
    bench.now += 200
    bench.apply(Stalled(200))
    assert etas(bench.connect("fay"))[-1] == 30
