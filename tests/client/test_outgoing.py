"""Which values are sent, how fast, and until when."""

from __future__ import annotations

import math

from presence_server.client.outgoing import Outgoing
from presence_server.protocol.profile import ProfileChange


def nothing(_field: str, _value: object) -> bool:
    return False


def everything(_field: str, _value: object) -> bool:
    return True


def opened(updates_per_s: float = 20) -> Outgoing:
    outgoing = Outgoing()
    outgoing.opened(updates_per_s, resumed=False, shows=nothing)
    return outgoing


def test_one_pace_for_all_fields_and_the_newest_value_wins() -> None:
    outgoing = opened(10)
    for n in range(1, 102):
        outgoing.set({"metadata": n})
        if n == 1:
            assert outgoing.take(0) == {"metadata": 1}
    outgoing.set({"status": "away"})
    assert outgoing.take(0.05) == {}
    assert outgoing.due_at == 0.1
    assert outgoing.take(0.1) == {"metadata": 101, "status": "away"}
    assert outgoing.take(1) == {}


def test_what_the_server_shows_needs_no_question() -> None:
    outgoing = opened()
    outgoing.set({"metadata": 1})
    outgoing.take(0)
    assert not outgoing.must_ask(0.9, nothing)
    assert not outgoing.must_ask(1, everything)
    assert outgoing.due_at == math.inf


def test_a_value_that_is_answered_for_is_not_sent_again() -> None:
    outgoing = opened()
    outgoing.set({"metadata": 1})
    outgoing.take(0)
    assert outgoing.must_ask(1, nothing)
    outgoing.asked()
    assert not outgoing.must_ask(2, nothing)
    outgoing.answered()
    assert not outgoing.must_ask(3, nothing)
    outgoing.opened(20, resumed=True, shows=nothing)
    assert outgoing.take(4) == {}


def test_an_answer_says_nothing_of_what_was_sent_after_the_question() -> None:
    outgoing = opened()
    outgoing.set({"metadata": 1})
    outgoing.take(0)
    outgoing.asked()
    outgoing.set({"metadata": 2})
    outgoing.take(1)
    outgoing.answered()
    outgoing.opened(20, resumed=True, shows=nothing)
    assert outgoing.take(2) == {"metadata": 2}


def test_what_was_limited_is_sent_again_later_unless_there_is_a_newer_value() -> None:
    outgoing = opened()
    outgoing.set({"metadata": 1, "cursor": 1})
    outgoing.take(0)
    outgoing.set({"cursor": 2})
    outgoing.limited(0, 0.3)
    assert outgoing.take(0.2) == {}
    assert outgoing.take(0.3) == {"metadata": 1, "cursor": 2}


def test_what_is_sent_soon_after_a_limit_is_sent_again_though_it_was_answered_for() -> None:
    outgoing = opened()
    outgoing.limited(0, 0.1)
    outgoing.set({"metadata": 1})
    assert outgoing.take(0.2) == {"metadata": 1}
    outgoing.asked()
    outgoing.answered()
    assert outgoing.take(2) == {"metadata": 1}
    outgoing.asked()
    outgoing.answered()
    assert outgoing.take(4) == {}


def test_a_resumed_session_is_sent_what_may_be_lost_and_a_new_one_everything() -> None:
    outgoing = opened()
    outgoing.set({"metadata": 1, "cursor": 1})
    outgoing.take(0)
    outgoing.opened(20, resumed=True, shows=lambda field, _: field == "cursor")
    assert outgoing.take(1) == {"metadata": 1}
    outgoing.opened(20, resumed=False, shows=nothing)
    assert outgoing.take(2) == {"metadata": 1, "cursor": 1}


def test_what_the_server_calls_bad_is_not_sent_again() -> None:
    outgoing = opened()
    outgoing.set({"metadata": 1})
    outgoing.take(0)
    outgoing.refused()
    assert not outgoing.must_ask(1, nothing)
    assert outgoing.due_at == math.inf


def test_changes_of_the_profile_add_up() -> None:
    outgoing = opened()
    outgoing.set_profile(ProfileChange(display_name="Ada"))
    outgoing.set_profile(ProfileChange(color=None))
    assert outgoing.take(0) == {"profile": ProfileChange(display_name="Ada", color=None)}
    outgoing.opened(20, resumed=False, shows=nothing)
    assert outgoing.take(1) == {"profile": ProfileChange(display_name="Ada", color=None)}


def test_a_profile_that_may_not_change_is_not_sent_again() -> None:
    outgoing = opened()
    outgoing.set_profile(ProfileChange(display_name="Ada"))
    outgoing.set({"metadata": 1})
    assert "profile" in outgoing.take(0)
    outgoing.profile_refused()
    outgoing.opened(20, resumed=False, shows=nothing)
    assert outgoing.take(1) == {"metadata": 1}
