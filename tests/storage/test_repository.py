from __future__ import annotations

import pytest
import structlog.testing

from presence_server.presence.bridge import Bridge
from presence_server.protocol.model import Cursor, PresenceRecord, PresenceStatus
from presence_server.protocol.profile import UserProfile
from presence_server.storage.errors import StorageDataError
from presence_server.storage.repository import Repository
from presence_server.storage.url import Dialect
from presence_server.storage.write_batch import (
    ClockReading,
    Closing,
    Heartbeat,
    QueueMark,
    WriteBatch,
)
from tests.storage.records import T0, profile, record, seen


async def rows(bridge: Bridge, repository: Repository) -> dict[str, PresenceRecord]:
    found = await bridge.call(repository.list_active_presence, None)
    return {session.record.session_id: session.record for session in found}


async def test_a_row_comes_back_exactly_as_it_was_written(
    bridge: Bridge, repository: Repository
) -> None:
    written = record(
        status=PresenceStatus.AWAY,
        cursor=Cursor(0.1, -1e300),
        metadata=b'{"z":1,"a":[1.0,null,"\xc3\xa9\xf0\x9f\x98\x80"], "n":1e300}',
    )
    await bridge.call(repository.write, WriteBatch([seen(name="Ünï 😀")], inserts=[written]))
    (found,) = await bridge.call(repository.list_active_presence, ["b"])
    assert found.record == written
    assert found.profile == UserProfile("user-0", "Ünï 😀", None, "#336699")


async def test_a_session_without_cursor_and_metadata_has_none(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record()])
    assert (await rows(bridge, repository))["session-0"] == record()


async def test_inserting_twice_leaves_one_row_in_its_newest_state(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record(), record(1)])
    newer = record(status=PresenceStatus.IDLE, last_heartbeat_at=T0 + 5)
    await bridge.call(repository.insert_presence, [newer])
    assert await rows(bridge, repository) == {"session-0": newer, "session-1": record(1)}


async def test_the_same_session_id_on_two_boards_is_two_rows(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record(), record(board_id="c")])
    assert len(await bridge.call(repository.list_active_presence, None)) == 2
    assert len(await bridge.call(repository.list_active_presence, ["c"])) == 1


async def test_a_status_update_changes_state_but_not_times_of_joining(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record(n, metadata=b"{}") for n in range(3)])
    updates = [
        record(
            n,
            status=PresenceStatus.IDLE,
            cursor=Cursor(n, 2),
            last_heartbeat_at=T0 + 7,
            connected_at=1,
        )
        for n in (0, 2)
    ]
    await bridge.call(repository.update_presence_status, updates)
    found = await rows(bridge, repository)
    assert found["session-1"] == record(1, metadata=b"{}")
    assert found["session-2"] == record(
        2, status=PresenceStatus.IDLE, cursor=Cursor(2, 2), last_heartbeat_at=T0 + 7
    )


async def test_heartbeats_move_each_session_to_its_own_time(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record(n) for n in range(3)])
    beats = [Heartbeat("b", f"session-{n}", T0 + 10 + n) for n in (0, 1)]
    await bridge.call(repository.update_heartbeat, beats)
    found = await rows(bridge, repository)
    assert [found[f"session-{n}"].last_heartbeat_at for n in range(3)] == [T0 + 10, T0 + 11, T0]


async def test_a_state_without_a_row_adds_it_and_a_heartbeat_without_one_is_counted(
    bridge: Bridge, repository: Repository
) -> None:
    batch = WriteBatch(
        updates=[record()],
        heartbeats=[Heartbeat("b", "session-0", T0), Heartbeat("b", "session-1", T0)],
        closings=[Closing("b", "session-2", T0)],
    )
    assert await bridge.call(repository.write, batch) == 1
    assert await rows(bridge, repository) == {"session-0": record()}


async def test_a_closed_session_is_not_active_and_keeps_its_first_end(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record(), record(1)])
    await bridge.call(repository.mark_disconnected, [Closing("b", "session-0", T0 + 1)])
    await bridge.call(repository.mark_disconnected, [Closing("b", "session-0", T0 + 9)])
    assert set(await rows(bridge, repository)) == {"session-1"}
    history = await bridge.call(repository.history, "b", None, 10)
    assert [entry.disconnected_at for entry in history] == [None, T0 + 1]


async def test_a_flush_is_one_transaction_and_one_statement_for_each_kind(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record(n) for n in range(40, 50)])
    batch = WriteBatch(
        profiles=[seen(n) for n in range(50)],
        inserts=[record(n) for n in range(40)],
        updates=[record(n, status=PresenceStatus.IDLE) for n in range(20)],
        heartbeats=[Heartbeat("b", f"session-{n}", T0 + 1) for n in range(20, 30)],
        closings=[Closing("b", f"session-{n}", T0 + 1) for n in range(40, 50)],
    )
    await bridge.call(repository.write, batch)
    assert (repository.transactions, repository.statements) == (1 + 1, 1 + 5)
    assert len(await rows(bridge, repository)) == 40


async def test_an_empty_batch_is_no_transaction(bridge: Bridge, repository: Repository) -> None:
    await bridge.call(repository.write, WriteBatch())
    assert repository.transactions == 0


@pytest.mark.parametrize(
    "bad",
    [
        record(1, last_heartbeat_at=10**30),
        record(1, user_id="lone \ud800 surrogate"),
    ],
    ids=["time", "surrogate"],
)
async def test_a_value_the_store_refuses_is_a_data_error_and_writes_nothing_of_its_batch(
    bridge: Bridge, repository: Repository, bad: PresenceRecord
) -> None:
    with pytest.raises(StorageDataError):
        await bridge.call(repository.insert_presence, [record(), bad, record(2)])
    assert await rows(bridge, repository) == {}
    await bridge.call(repository.insert_presence, [record()])
    assert len(await rows(bridge, repository)) == 1


async def test_the_newest_profile_of_a_user_stands(bridge: Bridge, repository: Repository) -> None:
    await bridge.call(repository.insert_presence, [record()])
    await bridge.call(repository.upsert_profiles, [seen(name="second", at_ms=T0 + 1)])
    await bridge.call(repository.upsert_profiles, [seen(name="first", at_ms=T0)])
    (found,) = await bridge.call(repository.list_active_presence, None)
    assert found.profile == profile(name="second")


async def test_a_row_without_a_profile_shows_the_user_id(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record()])
    (found,) = await bridge.call(repository.list_active_presence, None)
    assert found.profile.display_name == "user-0"
    assert found.profile.color.startswith("#")


async def test_a_row_that_somebody_else_broke_is_left_out_and_the_others_come_back(
    bridge: Bridge, repository: Repository
) -> None:
    broken = record(1, metadata=b"[1]")
    await bridge.call(repository.insert_presence, [record(), broken, record(2)])
    with structlog.testing.capture_logs() as logs:
        assert set(await rows(bridge, repository)) == {"session-0", "session-2"}
    assert [(entry["event"], entry["board"]) for entry in logs] == [
        ("a stored row cannot be read", "b")
    ]


async def test_history_is_newest_first_limited_and_of_one_board(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(
        repository.insert_presence, [record(n) for n in range(5)] + [record(9, board_id="c")]
    )
    history = await bridge.call(repository.history, "b", None, 3)
    assert [entry.user_id for entry in history] == ["user-4", "user-3", "user-2"]


async def test_history_since_a_time_has_who_was_still_there(
    bridge: Bridge, repository: Repository
) -> None:
    ends = [T0 + 10, T0 + 20, None]
    await bridge.call(
        repository.insert_presence, [record(n, disconnected_at=end) for n, end in enumerate(ends)]
    )
    history = await bridge.call(repository.history, "b", T0 + 20, 10)
    assert [entry.user_id for entry in history] == ["user-2", "user-1"]


async def test_retention_deletes_the_oldest_closed_sessions_in_small_batches(
    bridge: Bridge, repository: Repository
) -> None:
    closed = [record(n, disconnected_at=T0 + n) for n in range(6)]
    await bridge.call(repository.insert_presence, [*closed, record(9, connected_at=1)])
    assert await bridge.call(repository.delete_closed_before, T0 + 5, 3) == 3
    history = await bridge.call(repository.history, "b", None, 10)
    assert {e.user_id for e in history} == {"user-3", "user-4", "user-5", "user-9"}
    assert await bridge.call(repository.delete_closed_before, T0 + 5, 3) == 2
    assert await bridge.call(repository.delete_closed_before, T0 + 5, 3) == 0


async def test_profiles_without_a_session_are_deleted_after_their_time(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.upsert_profiles, [seen(n, at_ms=T0 + n) for n in range(9)])
    rows = [record(1, disconnected_at=T0 + 50), record(2)]
    await bridge.call(repository.insert_presence, rows)
    assert await bridge.call(repository.delete_profiles_before, T0 + 7, 3) == 3
    assert await bridge.call(repository.delete_profiles_before, T0 + 7, 3) == 2
    assert await bridge.call(repository.delete_profiles_before, T0 + 7, 3) == 0
    assert await bridge.call(repository.delete_profiles_before, T0 + 100, 9) == 2
    history = await bridge.call(repository.history, "b", None, 10)
    assert {e.display_name for e in history} == {"User 1", "User 2"}


async def test_the_newest_time_is_a_sign_of_life_or_an_end(
    bridge: Bridge, repository: Repository
) -> None:
    assert await bridge.call(repository.newest_ms) is None
    await bridge.call(repository.insert_presence, [record(1, last_heartbeat_at=T0 + 5)])
    assert await bridge.call(repository.newest_ms) == T0 + 5
    await bridge.call(repository.insert_presence, [record(2, disconnected_at=T0 + 9)])
    assert await bridge.call(repository.newest_ms) == T0 + 9


async def test_the_first_key_of_a_name_stays(bridge: Bridge, repository: Repository) -> None:
    assert await bridge.call(repository.get_or_create_key, "queue", b"one", T0) == b"one"
    assert await bridge.call(repository.get_or_create_key, "queue", b"two", T0) == b"one"
    assert await bridge.call(repository.get_or_create_key, "other", b"two", T0) == b"two"


async def test_after_closing_the_next_call_connects_again(
    bridge: Bridge, repository: Repository
) -> None:
    await bridge.call(repository.insert_presence, [record()])
    await bridge.call(repository.aclose)
    assert len(await rows(bridge, repository)) == 1


async def test_the_newest_time_of_a_queue_is_kept_for_each_user_and_board(
    bridge: Bridge, repository: Repository
) -> None:
    marks = [QueueMark("b", "ada", T0), QueueMark("b", "", T0 + 2), QueueMark("c", "ada", T0 + 1)]
    await bridge.call(repository.write, WriteBatch(marks=marks))
    older = [QueueMark("b", "ada", T0 - 1), QueueMark("b", "", T0 + 3)]
    await bridge.call(repository.write, WriteBatch(marks=older))
    found = await bridge.call(repository.queue_marks, 1000, 10)
    assert found == [older[1], marks[2], marks[0]]
    assert await bridge.call(repository.queue_marks, 1000, 2) == [older[1], marks[2]]


async def test_times_of_queues_are_old_by_the_newest_of_them(
    bridge: Bridge, repository: Repository
) -> None:
    assert await bridge.call(repository.delete_queue_marks, 100, 3) == 0
    marks = [QueueMark("b", f"user-{n}", T0 + n) for n in range(6)]
    await bridge.call(repository.write, WriteBatch(marks=[*marks, QueueMark("b", "", T0 + 105)]))
    assert await bridge.call(repository.queue_marks, 100, 10) == [
        QueueMark("b", "", T0 + 105),
        marks[5],
    ]
    assert await bridge.call(repository.delete_queue_marks, 100, 3) == 3
    assert await bridge.call(repository.delete_queue_marks, 100, 3) == 2
    assert await bridge.call(repository.delete_queue_marks, 100, 3) == 0
    assert len(await bridge.call(repository.queue_marks, 1000, 10)) == 2


async def test_the_clocks_of_the_last_write_come_back(
    bridge: Bridge, repository: Repository
) -> None:
    assert await bridge.call(repository.clock) is None
    for reading in (ClockReading(T0, None, 7), ClockReading(T0 + 1, "boot", 8)):
        await bridge.call(repository.write, WriteBatch(clock=reading))
    found = await bridge.call(repository.clock)
    assert found is not None
    assert found.reading == reading
    if repository.url.dialect is Dialect.SQLITE:
        assert found.since_ms is None
    else:
        assert found.since_ms is not None
        assert 0 <= found.since_ms < 60_000


async def test_a_key_that_the_store_has_lost_or_changed_is_stored_again(
    bridge: Bridge, repository: Repository
) -> None:
    for other in (None, b"other"):
        if other is not None:
            await bridge.call(repository.keep_key, "name", other, T0)
        assert not await bridge.call(repository.keep_key, "name", b"key", T0)
        assert await bridge.call(repository.keep_key, "name", b"key", T0)
        assert await bridge.call(repository.get_or_create_key, "name", b"new", T0) == b"key"
