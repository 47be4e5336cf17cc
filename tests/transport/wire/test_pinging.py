"""When peers are pinged: in time, and together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.wire.pinging import LAST_LOOK_S, Pinging, Step, ping_time


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


class TestAPeer:
    def test_is_pinged_and_given_up_when_its_time_is_up(self) -> None:
        pinging = Pinging(20, 20, now=0)
        assert pinging.look(19.9) is Step.WAIT
        assert pinging.look(20) is Step.PING
        assert pinging.look(39.9) is Step.WAIT
        assert pinging.look_at == 40
        assert pinging.look(40) is Step.GIVE_UP

    def test_is_pinged_again_at_its_moment_when_it_answered(self) -> None:
        pinging = Pinging(20, 20, now=0)
        assert pinging.look(20) is Step.PING
        pinging.answered()
        assert pinging.look_at == 40
        pinging.answered()
        assert pinging.look_at == 40, "nobody asked for that one"
        assert pinging.look(40) is Step.PING

    def test_whose_answer_a_server_that_stood_still_did_not_read_gets_a_moment(self) -> None:
        pinging = Pinging(20, 20, now=0)
        pinging.look(20)
        assert pinging.look(300) is Step.WAIT
        assert pinging.look(300) is Step.WAIT
        assert pinging.look_at == 300 + LAST_LOOK_S
        pinging.answered()
        assert pinging.look(301) is Step.PING
        assert pinging.look(pinging.look_at) is Step.GIVE_UP

    def test_that_does_not_answer_a_server_that_stood_still_either_is_given_up(self) -> None:
        pinging = Pinging(20, 20, now=0)
        pinging.look(20)
        assert pinging.look(41) is Step.WAIT
        assert pinging.look(41 + LAST_LOOK_S) is Step.GIVE_UP
