from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from presence_server.presence.pending import PendingWrites
from presence_server.presence.session_writes import Key, SessionWrites, to_batch
from presence_server.protocol.model import PresenceRecord
from presence_server.storage.write_batch import (
    Closing,
    Heartbeat,
    OpenSession,
    ProfileSeen,
    WriteBatch,
)
from tests.presence.fakes import T0, FakeStore, profile, record

KEY = ("b", "session-0")


def nothing() -> None:
    pass


def test_a_session_takes_one_entry_however_often_it_changes() -> None:
    pending = PendingWrites()
    for n in range(1000):
        pending.update(record(status="idle"))
        pending.heartbeat(KEY, T0 + n)
    assert len(pending) == 1
    (entry,) = pending.take(10, changes=True)
    batch = to_batch([entry])
    assert (len(batch.updates), len(batch.heartbeats)) == (1, 0)
    assert batch.updates[0].last_heartbeat_at == T0 + 999


def test_a_heartbeat_alone_is_no_update_of_the_row() -> None:
    pending = PendingWrites()
    pending.heartbeat(KEY, T0 + 1)
    batch = to_batch(pending.take(10, changes=True))
    assert batch.heartbeats == [Heartbeat(*KEY, T0 + 1)]
    assert not batch.updates


def test_what_happens_before_the_insert_goes_into_the_insert() -> None:
    pending = PendingWrites()
    pending.join(record(), profile(), nothing)
    pending.update(replace(record(status="away"), connected_at=1))
    pending.heartbeat(KEY, T0 + 5)
    pending.disconnect(KEY, T0 + 6)
    batch = to_batch(pending.take(10, changes=False))
    assert batch.inserts == [
        replace(record(status="away"), last_heartbeat_at=T0 + 5, disconnected_at=T0 + 6)
    ]
    assert not batch.updates
    assert not batch.closings


def test_joins_come_first_and_changes_only_when_asked_for() -> None:
    pending = PendingWrites()
    pending.heartbeat(("b", "other"), T0)
    pending.join(record(), profile(), nothing)
    (join,) = pending.take(10, changes=False)
    pending.written()
    assert join.key == KEY
    assert pending.changes == 1
    assert [entry.key for entry in pending.take(10, changes=True)] == [("b", "other")]


def test_the_ends_of_a_board_go_with_its_joins_and_before_them() -> None:
    pending = PendingWrites()
    pending.disconnect(("b", "left"), T0)
    pending.disconnect(("c", "elsewhere"), T0)
    pending.join(record(), profile(), nothing)
    taken = pending.take(10, changes=False)
    assert [entry.key for entry in taken] == [("b", "left"), KEY]
    pending.written()
    assert pending.changes == 1


def test_a_join_waits_for_the_next_batch_when_the_ends_of_its_board_fill_this_one() -> None:
    pending = PendingWrites()
    for number in range(3):
        pending.disconnect(("b", f"left-{number}"), T0)
    pending.join(record(), profile(), nothing)
    assert {entry.key[1] for entry in pending.take(2, changes=False)} == {"left-0", "left-1"}
    pending.written()
    assert [entry.key[1] for entry in pending.take(2, changes=False)] == ["left-2", "session-0"]


def test_an_end_that_could_not_be_written_still_precedes_the_next_join() -> None:
    pending = PendingWrites()
    pending.join(record(0), profile(0), nothing)
    taken = pending.take(10, changes=False)
    pending.join(record(1), profile(1), nothing)
    pending.disconnect(KEY, T0 + 1)
    # The answer was lost: the first row may be in the store, and open.
    pending.failed(taken)
    assert [entry.key[1] for entry in pending.take(1, changes=False)] == ["session-0"]


def test_a_failed_batch_gives_way_to_what_came_later() -> None:
    pending = PendingWrites()
    pending.join(record(), profile(), nothing)
    taken = pending.take(10, changes=True)
    pending.update(record(status="idle"))
    pending.disconnect(KEY, T0 + 3)
    pending.failed(taken)
    batch = to_batch(pending.take(10, changes=False))
    assert batch.inserts == [replace(record(status="idle"), disconnected_at=T0 + 3)]
    assert len(batch.profiles) == 1


def test_an_older_heartbeat_never_takes_a_newer_one_back() -> None:
    pending = PendingWrites()
    pending.heartbeat(KEY, T0 + 1)
    taken = pending.take(10, changes=True)
    pending.update(replace(record(status="idle"), last_heartbeat_at=T0 + 9))
    pending.failed(taken)
    (update,) = to_batch(pending.take(10, changes=True)).updates
    assert update.last_heartbeat_at == T0 + 9


def test_the_first_end_of_a_session_counts() -> None:
    pending = PendingWrites()
    pending.disconnect(KEY, T0 + 1)
    pending.disconnect(KEY, T0 + 2)
    assert to_batch(pending.take(10, changes=True)).closings == [Closing(*KEY, T0 + 1)]


def test_sessions_that_came_and_went_while_the_store_was_away_are_bounded() -> None:
    pending = PendingWrites(max_finished=10)
    for n in range(100):
        pending.join(record(n), profile(n), nothing)
        pending.waiting_callbacks()
        pending.disconnect(("b", f"session-{n}"), T0 + n)
    pending.join(record(1000), profile(1000), nothing)
    assert len(pending) == 11
    assert pending.abandoned == 90


def test_callbacks_are_handed_out_once_even_from_a_batch_in_flight() -> None:
    pending = PendingWrites()
    pending.join(record(0), profile(0), nothing)
    taken = pending.take(10, changes=True)
    pending.join(record(1), profile(1), nothing)
    assert len(pending.waiting_callbacks()) == 2
    pending.failed(taken)
    assert pending.waiting_callbacks() == []


def test_the_newest_callbacks_are_taken_without_a_look_at_the_others() -> None:
    pending = PendingWrites()
    for number in range(3):
        pending.join(record(number), profile(number), nothing)
    assert len(pending.newest_callbacks()) == 1
    assert pending.newest_callbacks() == []
    assert len(pending.waiting_callbacks()) == 2
    assert PendingWrites().newest_callbacks() == []


def test_open_sessions_are_those_of_the_store_with_what_waits_on_top() -> None:
    pending = PendingWrites()
    stored = [OpenSession(record(n), profile(n)) for n in range(4)]
    pending.disconnect(("b", "session-0"), T0 + 1)
    pending.take(10, changes=True)
    pending.update(record(1, status="away"))
    pending.join(record(9), profile(9), nothing)
    pending.join(record(8, board_id="c"), profile(8), nothing)
    with pending.reading() as seen:
        pending.written()
        found = {s.record.session_id: s for s in pending.overlay(stored, ["b"], seen)}
    assert sorted(found) == ["session-1", "session-2", "session-3", "session-9"]
    assert found["session-1"].record.status == "away"
    assert found["session-9"].profile == profile(9)


def renamed(name: str, at_ms: int, number: int = 0) -> ProfileSeen:
    return ProfileSeen(replace(profile(number), display_name=name), at_ms)


def test_a_new_profile_is_written_without_a_new_row() -> None:
    pending = PendingWrites()
    pending.change_profile(KEY, renamed("A", T0 + 1))
    pending.change_profile(KEY, renamed("B", T0 + 2))
    batch = to_batch(pending.take(10, changes=True))
    assert batch.profiles == [renamed("B", T0 + 2)]
    assert not any((batch.inserts, batch.updates, batch.heartbeats, batch.closings))


def test_a_session_that_is_written_again_keeps_the_time_of_its_new_profile() -> None:
    """Otherwise an older profile of the same user, from another board, would stay in the store."""
    pending = PendingWrites()
    pending.change_profile(KEY, renamed("A", T0 + 5))
    pending.join(record(), renamed("A", 0).profile, nothing)
    assert to_batch(pending.take(10, changes=True)).profiles == [renamed("A", T0 + 5)]


def test_of_several_profiles_of_a_user_the_newest_is_written() -> None:
    pending = PendingWrites()
    pending.change_profile(("b", "one"), renamed("new", T0 + 2))
    pending.change_profile(("c", "two"), renamed("old", T0 + 1))
    assert to_batch(pending.take(10, changes=True)).profiles == [renamed("new", T0 + 2)]


@pytest.mark.parametrize("boards", [None, ["b"]])
@pytest.mark.parametrize("board_of_change", ["b", "c"])
def test_every_open_session_of_a_user_has_the_profile_that_waits(
    board_of_change: str, boards: list[str] | None
) -> None:
    pending = PendingWrites()
    tabs = [OpenSession(replace(record(), session_id=f"tab-{n}"), profile()) for n in range(2)]
    pending.change_profile((board_of_change, "tab-0"), renamed("A", T0 + 1))
    found = pending.overlay([*tabs, OpenSession(record(1), profile(1))], boards, [])
    assert [s.profile.display_name for s in found] == ["A", "A", "User 1"]


CHANGES = ("update", "beat", "leave", "profile")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["join", *CHANGES]), st.integers(0, 2)),
        st.tuples(st.sampled_from(["take", "take-joins", "written", "lost", "failed"]), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_fails_the_store_ends_as_if_nothing_had(steps: list[tuple[str, int]]) -> None:
    pending = PendingWrites()
    store, expected = FakeStore(), FakeStore()
    in_flight: list[SessionWrites] = []
    joined: set[int] = set()
    gone: set[int] = set()
    for time, (step, n) in enumerate(steps):
        if step == "join" and n not in joined:
            joined.add(n)
            row = replace(record(n), last_heartbeat_at=T0 + time, connected_at=T0 + time)
            pending.join(row, profile(n), nothing)
            expected._apply(WriteBatch([ProfileSeen(profile(n), T0 + time)], inserts=[row]))
        elif step in CHANGES and n in joined - gone:
            if step == "leave":
                gone.add(n)
            expected._apply(_note(pending, step, n, T0 + time))
        elif step.startswith("take") and not in_flight:
            in_flight = pending.take(2, changes=step == "take")
        elif step in ("written", "lost", "failed") and in_flight:
            if step != "failed":
                store._apply(to_batch(in_flight))
            if step == "written":
                pending.written()
            else:
                pending.failed(in_flight)
            in_flight = []
    if in_flight:
        pending.failed(in_flight)
    stored = [
        OpenSession(row, store.profiles[row.user_id])
        for row in store.rows.values()
        if row.disconnected_at is None
    ]
    assert pending.overlay(stored, ["b"], []) == pending.overlay(stored, None, [])
    while len(pending):
        store._apply(to_batch(pending.take(2, changes=True)))
        pending.written()
    assert store.rows == expected.rows
    assert store.profiles == expected.profiles


SEAT_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "beat", "take", "write", "lost", "failed"]), st.integers(0, 3)
    ),
    max_size=40,
)


@given(SEAT_STEPS)
@settings(max_examples=300)
def test_the_store_never_has_two_open_sessions_in_one_seat(steps: list[tuple[str, int]]) -> None:
    pending = PendingWrites()
    store = FakeStore()
    seated: Key | None = None
    in_flight: list[SessionWrites] = []
    for time, (step, n) in enumerate(steps):
        if step == "next":
            # Whoever has the seat leaves, and the next one gets it at once.
            if seated is not None:
                pending.disconnect(seated, T0 + time)
            row = record(time)
            pending.join(row, profile(time), nothing)
            seated = (row.board_id, row.session_id)
        elif step == "beat" and seated is not None:
            pending.heartbeat(seated, T0 + time)
        elif step == "take" and not in_flight:
            in_flight = pending.take(1 + n // 2, changes=n % 2 == 0)
        elif step in ("write", "lost", "failed"):
            batch = in_flight or pending.take(1 + n // 2, changes=n % 2 == 0)
            # A batch may be written in halves, and the answer may be lost after any of them.
            middle = n % (len(batch) + 1)
            for half in (batch[:middle], batch[middle:]):
                if half and step != "failed":
                    store._apply(to_batch(half))
                    assert len(open_rows(store)) <= 1
            if step == "write":
                pending.written()
            else:
                pending.failed(batch)
            in_flight = []


def open_rows(store: FakeStore) -> list[PresenceRecord]:
    return [row for row in store.rows.values() if row.disconnected_at is None]


def _note(pending: PendingWrites, step: str, n: int, at_ms: int) -> WriteBatch:
    """Let a session change; returns the same as one transaction."""
    key = ("b", f"session-{n}")
    match step:
        case "update":
            row = record(n, status="idle" if at_ms % 2 else "away")
            row = replace(row, last_heartbeat_at=at_ms)
            pending.update(row)
            return WriteBatch(updates=[row])
        case "beat":
            pending.heartbeat(key, at_ms)
            return WriteBatch(heartbeats=[Heartbeat(*key, at_ms)])
        case "profile":
            profile_ = renamed(f"At {at_ms}", at_ms, n)
            pending.change_profile(key, profile_)
            return WriteBatch([profile_])
        case _:
            pending.disconnect(key, at_ms)
            return WriteBatch(closings=[Closing(*key, at_ms)])
