"""What store and cache have not heard yet."""

from __future__ import annotations

import math

from presence_server.core.effects import CloseRow, Effect, Publish, SaveHeartbeats, SaveRows
from presence_server.core.journal import SAVE_INTERVAL_S, TRACE_INTERVAL_S, Journal
from presence_server.core.roster import Phase, Session, User
from presence_server.protocol.model import Cursor
from presence_server.protocol.profile import clean_profile
from tests.limits import board_limits

LIMITS = board_limits()
NOW = 100.0


def somebody(*session_ids: str, phase: Phase = Phase.JOINED) -> User:
    user = User(clean_profile("ada"))
    user.announced = True
    for session_id in session_ids:
        session = user.sessions[session_id] = Session(session_id, user.profile, 1.0, 1000)
        session.phase = phase
    return user


def drain(journal: Journal, *users: User) -> list[Effect]:
    return journal.drain("b", users, LIMITS, 0, 2.0)


def rows(effects: list[Effect]) -> list[str]:
    return [r.session_id for e in effects if isinstance(e, SaveRows) for r in e.records]


def test_without_marks_there_is_nothing_to_save() -> None:
    journal = Journal()
    assert journal.save_at(NOW) == math.inf
    assert drain(journal) == []


def test_signs_of_life_go_out_alone_and_once() -> None:
    journal, ada = Journal(), somebody("one", "two")
    for session in ada.sessions.values():
        journal.heard(ada, session)
        journal.heard(ada, session)
    assert NOW < journal.save_at(NOW) <= NOW + TRACE_INTERVAL_S
    assert drain(journal, ada) == [SaveHeartbeats("b", (("one", 1000), ("two", 1000)))]
    assert journal.save_at(NOW) == math.inf


def test_a_changed_row_carries_its_sign_of_life() -> None:
    journal, ada = Journal(), somebody("one")
    journal.heard(ada, ada.sessions["one"])
    journal.changed(ada, ada.sessions["one"])
    effects = drain(journal, ada)
    assert rows(effects) == ["one"]
    assert len(effects) == 1


def test_a_users_change_goes_to_every_row_and_to_the_list() -> None:
    journal, ada = Journal(), somebody("one", "two")
    ada.cursor = Cursor(1, 2)
    journal.user_changed(ada)
    effects = drain(journal, ada)
    assert rows(effects) == ["one", "two"]
    assert effects[-1] == Publish("b", (ada.as_seen(),))


def test_a_cursor_that_moved_can_wait_a_little_and_goes_to_every_row_and_to_the_list() -> None:
    journal, ada = Journal(), somebody("one", "two")
    ada.cursor = Cursor(1, 2)
    journal.moved(ada)
    assert NOW < journal.save_at(NOW) <= NOW + TRACE_INTERVAL_S
    effects = drain(journal, ada)
    assert rows(effects) == ["one", "two"]
    assert effects[-1] == Publish("b", (ada.as_seen(),))
    assert journal.save_at(NOW) == math.inf


def test_a_cursor_that_moved_is_in_the_last_word_of_a_row() -> None:
    journal, ada = Journal(), somebody("one", "two")
    journal.moved(ada)
    for session in list(ada.sessions.values()):
        saved, closed = journal.close(ada, session, "b", LIMITS, 0, 2.0)
        assert isinstance(saved, SaveRows)
        assert isinstance(closed, CloseRow)
        del ada.sessions[session.session_id]
    assert drain(journal) == [Publish("b", ())]


def test_each_journal_has_its_own_turn_within_the_interval() -> None:
    turns = list[float]()
    for turn in (0.0, 0.25, 0.5, 0.75):
        journal = Journal(turn)
        journal.moved(somebody("one"))
        turns.append(journal.save_at(100.0))
        assert journal.save_at(turns[-1]) == turns[-1] + TRACE_INTERVAL_S
    assert turns == [102.0, 101.5, 101.0, 100.5]


def test_the_list_holds_only_announced_users() -> None:
    journal, ada = Journal(), somebody("one")
    ada.announced = False
    journal.list_changed()
    assert drain(journal, ada) == [Publish("b", ())]


def test_a_row_that_may_not_exist_yet_is_saved_later() -> None:
    journal, ada = Journal(), somebody("one", phase=Phase.ADMITTING)
    journal.user_changed(ada)
    assert rows(drain(journal, ada)) == []
    assert journal.save_at(NOW) == NOW + SAVE_INTERVAL_S
    ada.sessions["one"].phase = Phase.JOINED
    assert rows(drain(journal, ada)) == ["one"]
    assert journal.save_at(NOW) == math.inf


def test_a_row_is_brought_up_to_date_before_it_is_closed() -> None:
    journal, ada = Journal(), somebody("one", "two", "three")
    one, two, three = ada.sessions.values()
    ada.metadata = b'{"a":1}'
    journal.changed(ada, one)
    journal.heard(ada, one)
    journal.heard(ada, two)
    effects = [
        effect
        for session in (one, two, three)
        for effect in journal.close(ada, session, "b", LIMITS, 0, 2.0)
    ]
    assert effects == [
        SaveRows((ada.record(one, "b", 0, 2.0, LIMITS),)),
        CloseRow("b", "one", 2000),
        SaveHeartbeats("b", (("two", 1000),)),
        CloseRow("b", "two", 2000),
        CloseRow("b", "three", 2000),
    ]
    assert drain(journal) == [Publish("b", ())]


def test_a_row_that_is_still_to_come_is_closed_as_it_will_be() -> None:
    journal, ada = Journal(), somebody("one", phase=Phase.ADMITTING)
    journal.user_changed(ada)
    closing = journal.close(ada, ada.sessions["one"], "b", LIMITS, 0, 2.0)
    assert closing == [CloseRow("b", "one", 2000)]
