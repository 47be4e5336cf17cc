"""When peers are pinged: in time, and together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.pinging import ping_time


@given(st.floats(0, 1e7), st.floats(0.01, 3600))
def test_a_ping_is_never_late_and_hardly_early(since: float, interval_s: float) -> None:
    at = ping_time(since, interval_s)
    assert at <= since + interval_s
    assert at >= since + interval_s - interval_s / 64


def test_thousands_of_connections_share_the_moments_of_an_interval() -> None:
    moments = {ping_time(10 + number * 20 / 5000, 20.0) for number in range(5000)}
    assert len(moments) == 64


def test_who_answers_in_time_keeps_its_moment() -> None:
    first = ping_time(3.21, 20.0)
    assert ping_time(first, 20.0) == first + 20
