"""Sessions and users: what follows from the times of what was heard."""

from __future__ import annotations

import math

from msgspec.structs import replace

from presence_server.core.roster import Phase, Session, User
from presence_server.protocol.model import (
    Cursor,
    PresenceRecord,
    PresenceStatus,
    Update,
)
from presence_server.protocol.profile import clean_profile
from tests.limits import board_limits

LIMITS = board_limits()
ADA = clean_profile("ada")
ONLINE, IDLE, AWAY = PresenceStatus.ONLINE, PresenceStatus.IDLE, PresenceStatus.AWAY


def joined(session_id: str = "s", now: float = 0.0) -> Session:
    session = Session(session_id, ADA, now, int(now * 1000))
    session.phase = Phase.JOINED
    session.connection = 1
    return session


def test_silence_makes_a_session_idle_then_away_exactly_when_the_alarm_says() -> None:
    user = User(ADA)
    user.add(session := joined())
    seen = []
    now = 0.0
    while (change := user.current_status(now, LIMITS)[1]) < math.inf:
        assert session.status(change - 0.001, LIMITS) is session.status(now, LIMITS)
        now = change
        seen.append((now, session.status(now, LIMITS)))
    assert seen == [(60.0, IDLE), (180.0, AWAY)]


def test_a_declared_status_is_lowered_by_silence_and_never_raised() -> None:
    session = joined()
    session.declared = IDLE
    user = User(ADA)
    user.add(session)
    assert session.status(0.0, LIMITS) is IDLE
    assert user.current_status(0.0, LIMITS) == (IDLE, 180.0)
    session.declared = AWAY
    assert session.status(0.0, LIMITS) is AWAY
    assert user.current_status(0.0, LIMITS) == (AWAY, math.inf)


def test_an_attached_session_ends_by_silence_alone() -> None:
    session = joined()
    session.leave_at = 2.0
    assert session.ends_at(LIMITS) == 300.0


def test_a_detached_session_ends_by_silence_or_because_its_page_was_left() -> None:
    session = joined()
    session.connection, session.dropped_at = None, 10.0
    assert session.ends_at(LIMITS) == 300.0
    session.leave_at = 12.0
    assert session.ends_at(LIMITS) == 12.0


def test_a_queued_session_ends_a_grace_after_its_drop() -> None:
    session = joined()
    session.phase, session.connection, session.dropped_at = Phase.QUEUED, None, 10.0
    assert session.ends_at(LIMITS) == 40.0
    session.leave_at = 12.0
    assert session.ends_at(LIMITS) == 12.0


def test_held_updates_keep_the_newest_value_of_each_field() -> None:
    session = joined()
    session.hold(Update(status=IDLE, cursor=Cursor(1, 1)))
    session.hold(Update(cursor=None))
    session.hold(Update(metadata=b"{}"))
    assert session.held == Update(status=IDLE, cursor=None, metadata=b"{}")


def test_a_user_is_as_present_as_the_most_present_session_that_joined() -> None:
    user = User(ADA)
    assert user.current_status(0.0, LIMITS) == (ONLINE, math.inf)
    for session_id, status in (("one", AWAY), ("two", IDLE), ("three", ONLINE)):
        session = user.sessions[session_id] = joined(session_id)
        session.declared = status
    user.sessions["three"].phase = Phase.ADMITTING
    assert user.current_status(0.0, LIMITS) == (IDLE, 180.0)


def test_the_status_of_a_user_changes_when_the_last_of_the_most_present_sessions_is_silent() -> (
    None
):
    user = User(ADA)
    for session_id, acted_at in (("one", 5.0), ("two", 30.0), ("three", 20.0)):
        user.add(joined(session_id, acted_at))
    assert user.current_status(40.0, LIMITS) == (ONLINE, 90.0)
    assert user.current_status(70.0, LIMITS) == (ONLINE, 90.0)
    assert user.current_status(90.0, LIMITS) == (IDLE, 210.0)


def test_a_user_is_detached_since_the_last_drop_and_reachable_a_while_longer() -> None:
    user = User(ADA)
    one, two = joined("one"), joined("two")
    user.sessions.update(one=one, two=two)
    one.dropped_at = 10.0
    assert user.detached_since() is None
    assert user.unreachable_at(LIMITS) == math.inf
    two.dropped_at = 7.0
    assert user.detached_since() == 10.0
    assert user.unreachable_at(LIMITS) == 15.0


ROW = PresenceRecord(
    board_id="b",
    user_id="ada",
    session_id="s",
    status=IDLE,
    cursor=Cursor(1, 2),
    metadata=b"{}",
    last_heartbeat_at=1_000_004_000,
    connected_at=1_000_001_000,
)


def test_a_row_is_written_as_it_will_be_read() -> None:
    session = Session.restored(ROW, ADA, 10.0, 1_000_000_000)
    assert (session.last_seen, session.dropped_at, session.connection) == (4.0, 10.0, None)
    assert (session.phase, session.id_known) == (Phase.JOINED, True)
    user = User(ADA)
    user.cursor, user.cursor_of, user.metadata = ROW.cursor, session, ROW.metadata
    assert user.record(session, "b", 1_000_000_000, 10.0, LIMITS) == ROW


def test_a_sign_of_life_from_the_future_is_one_of_now() -> None:
    ahead = replace(ROW, last_heartbeat_at=1_000_099_000)
    assert Session.restored(ahead, ADA, 10.0, 1_000_000_000).last_seen == 10.0
