"""How often the board hears of one user: at once, then no more than once an interval."""

from __future__ import annotations

import math

from presence_server.core.pacing import ChangePacer
from presence_server.core.roster import User
from presence_server.protocol.profile import clean_profile


def test_the_first_change_does_not_wait_and_the_next_one_waits_for_the_interval() -> None:
    pacer, ada = ChangePacer(50), User(clean_profile("ada"))
    assert not pacer.must_wait(ada, 1.0)
    ada.told_at = 1.0
    assert pacer.must_wait(ada, 1.01)
    assert pacer.must_wait(ada, 1.02)
    assert (len(pacer), pacer.due) == (1, 1.05)
    assert pacer.take(1.04) == []
    assert pacer.take(1.05) == [ada]
    assert (len(pacer), pacer.due) == (0, math.inf)
    assert not pacer.must_wait(ada, 1.05)


def test_a_user_who_left_waits_no_more_and_the_others_stay() -> None:
    pacer, ada, bob = ChangePacer(50), User(clean_profile("ada")), User(clean_profile("bob"))
    ada.told_at, bob.told_at = 1.0, 1.03
    for user in (ada, bob):
        assert pacer.must_wait(user, 1.04)
    pacer.forget(ada)
    pacer.forget(ada)
    assert pacer.due == 1.08
    assert pacer.take(2.0) == [bob]


def test_of_several_only_those_are_taken_who_waited_long_enough() -> None:
    pacer, ada, bob = ChangePacer(50), User(clean_profile("ada")), User(clean_profile("bob"))
    ada.told_at, bob.told_at = 1.0, 1.03
    for user in (ada, bob):
        assert pacer.must_wait(user, 1.04)
    assert pacer.take(1.06) == [ada]
    assert pacer.due == 1.08
