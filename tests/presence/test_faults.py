"""The service over real stores that die, freeze, refuse and come back, under traffic."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
import trio
from msgspec.structs import replace

from presence_server.presence import PresenceStack, Timing
from presence_server.protocol.model import Cursor, PresenceRecord, PresenceStatus
from presence_server.protocol.profile import UserProfile
from presence_server.storage.limits import EngineLimits
from tests.presence.kit import open_stack, until
from tests.servers import (
    BREAKS_CONNECTIONS,
    PostgresServer,
    RedisServer,
    collected,
    start_postgres,
    start_redis,
)

__all__ = ["collected"]

pytestmark = [pytest.mark.e2e, *BREAKS_CONNECTIONS]

FAST = Timing(flush_interval_s=0.05, store_deadline_s=3.0, probe_interval_s=0.5)
LIMITS = EngineLimits(connect_s=1.0, operation_s=1.0, busy_s=0.3)


class Traffic:
    """Joins, updates, heartbeats and leaves at random, and what the store must end up with."""

    def __init__(self, stack: PresenceStack) -> None:
        self.service = stack.service
        self.expected: dict[str, PresenceRecord] = {}
        self.joining: set[str] = set()
        self.waits: list[float] = []
        self._rng = random.Random(11)
        self._number = 0

    async def run(self) -> None:
        while True:
            for _ in range(5):
                self.step()
            await trio.sleep(0.005)

    def step(self) -> None:
        live = [s for s, row in self.expected.items() if row.disconnected_at is None]
        if len(live) < 20 or self._rng.random() < 0.05:
            self.join()
            return
        session_id = self._rng.choice(live)
        row = self.expected[session_id]
        now = time.time_ns() // 1_000_000
        what = self._rng.random()
        if what < 0.05:
            self.service.disconnect(row.board_id, session_id, now)
            row = replace(row, disconnected_at=now)
        elif what < 0.5:
            self.service.heartbeat(row.board_id, session_id, now)
            row = replace(row, last_heartbeat_at=now)
        else:
            row = replace(
                row,
                status=self._rng.choice(list(PresenceStatus)),
                cursor=Cursor(self._rng.random(), self._rng.random()),
                metadata=b'{"n":%d}' % self._rng.randrange(1000),
                last_heartbeat_at=now,
            )
            self.service.update_status(row)
        self.expected[session_id] = row

    def join(self) -> None:
        self._number += 1
        now = time.time_ns() // 1_000_000
        user = f"user-{self._number}"
        row = PresenceRecord(
            board_id=f"board-{self._number % 5}",
            user_id=user,
            session_id=f"session-{self._number}",
            status=PresenceStatus.ONLINE,
            cursor=None,
            metadata=None,
            last_heartbeat_at=now,
            connected_at=now,
        )
        self.expected[row.session_id] = row
        self.joining.add(row.session_id)
        began = trio.current_time()

        def committed() -> None:
            self.joining.remove(row.session_id)
            self.waits.append(trio.current_time() - began)

        self.service.join(row, UserProfile(user, user, None, "#123456"), committed)

    async def assert_stored_within(self, seconds: float) -> None:
        """Everything is in the store, exactly once and right."""
        with trio.fail_after(seconds):
            await self.service.flush()
        assert self.joining == set()
        stored = {row.session_id: row for row, _ in await self.service.stored.sessions()}
        open_rows = {s: r for s, r in self.expected.items() if r.disconnected_at is None}
        assert stored == open_rows
        closed = {s for s, r in self.expected.items() if r.disconnected_at is not None}
        found = 0
        for board in range(5):
            history = await self.service.history(f"board-{board}", None, 100_000)
            found += len(history)
            ended = {entry.user_id for entry in history if entry.disconnected_at is not None}
            assert ended <= {self.expected[s].user_id for s in closed}
        assert found == len(self.expected)


async def running(url: str, nursery: trio.Nursery, redis_url: str | None = None) -> PresenceStack:
    stack = open_stack(url, redis_url, timing=FAST, limits=LIMITS, cache_ttl_s=5)
    await nursery.start(stack.run)
    return stack


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    server = start_postgres()
    yield server
    server.remove()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.remove()


def patient_connection(path: Path) -> sqlite3.Connection:
    """Another process's connection: it waits in a thread, or the store could not let go."""
    return sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)


@pytest.mark.postgres
@pytest.mark.parametrize("fault", ["freeze", "kill", "refuse"])
async def test_postgres_in_trouble_loses_nothing(
    own_postgres: PostgresServer, cleanup: trio.Nursery, fault: str
) -> None:
    database = own_postgres.new_database()
    name = database.rpartition("/")[2]
    stack = await running(database, cleanup)
    traffic = Traffic(stack)
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic.run)
            await trio.sleep(0.5)
            if fault == "freeze":
                own_postgres.freeze()
            elif fault == "kill":
                own_postgres.kill()
            else:
                own_postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
                own_postgres.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    f"WHERE datname = '{name}'"
                )
            await until(lambda: stack.service.database_status == "down")
            traffic.waits.clear()
            await trio.sleep(1)
            assert traffic.waits  # Joins go on from memory while the store is away.
            if fault == "freeze":
                own_postgres.thaw()
            elif fault == "kill":
                await trio.to_thread.run_sync(own_postgres.start)
            else:
                await trio.to_thread.run_sync(
                    own_postgres.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'
                )
            await until(lambda: stack.service.database_status == "ok", 5)
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        await traffic.assert_stored_within(5)
    events = [line["event"] for line in logs if line["log_level"] != "debug"]
    assert events == ["the database does not answer", "the database answers again"]


async def test_a_locked_sqlite_file_loses_nothing(tmp_path: Path, cleanup: trio.Nursery) -> None:
    path = tmp_path / "presence.db"
    stack = await running(f"sqlite:///{path}", cleanup)
    traffic = Traffic(stack)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(traffic.run)
        await trio.sleep(0.3)
        other = patient_connection(path)
        await trio.to_thread.run_sync(other.execute, "BEGIN IMMEDIATE")
        await until(lambda: stack.service.database_status == "down")
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: stack.service.database_status == "ok")
        nursery.cancel_scope.cancel()
    await traffic.assert_stored_within(5)


@pytest.mark.postgres
async def test_a_database_made_anew_gets_its_tables_again(
    postgres_server: PostgresServer, cleanup: trio.Nursery
) -> None:
    url = postgres_server.new_database()
    name = url.rpartition("/")[2]
    stack = await running(url, cleanup)
    postgres_server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    traffic = Traffic(stack)
    for _ in range(50):
        traffic.step()
    await until(lambda: stack.service.database_status == "down", 5)
    postgres_server.execute(f'CREATE DATABASE "{name}"')
    await traffic.assert_stored_within(5)


@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
async def test_errors_in_asyncio_callbacks_go_unnoticed(
    tmp_path: Path, request: pytest.FixtureRequest, cleanup: trio.Nursery, backend: str
) -> None:
    url = (
        f"sqlite:///{tmp_path}/presence.db"
        if backend == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    stack = await running(url, cleanup)
    traffic = Traffic(stack)

    def fail() -> None:
        raise ZeroDivisionError("in a callback")

    async def sabotage() -> None:
        asyncio.get_running_loop().call_soon(fail)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(traffic.run)
        for turn in range(1, 6):
            await trio.sleep(0.2)
            await stack.bridge.call(sabotage)
            await until(lambda turn=turn: stack.bridge.restarts == turn)  # type: ignore[misc]
        await trio.sleep(0.3)
        nursery.cancel_scope.cancel()
    await traffic.assert_stored_within(5)
    assert stack.service.database_status == "ok"


@pytest.mark.redis
@pytest.mark.parametrize("fault", ["freeze", "kill"])
async def test_redis_in_trouble_is_right_again_within_three_seconds(
    own_redis: RedisServer, tmp_path: Path, cleanup: trio.Nursery, fault: str
) -> None:
    stack = await running(f"sqlite:///{tmp_path}/p.db", cleanup, own_redis.url)
    service = stack.service

    def stored(board: str) -> bytes:
        return own_redis.command_line("GET", f"presence:{board}")

    service.publish("stays", b"[1]")
    service.publish("goes", b"[1]")
    await until(lambda: b"[1]" in stored("stays") and b"[1]" in stored("goes"), 1)
    if fault == "freeze":
        own_redis.freeze()
    else:
        own_redis.kill()
    service.publish("goes", None)
    service.publish("changes", b"[2]")
    await until(lambda: service.cache_status == "down")
    assert await service.current_users("changes") == b"[2]"
    if fault == "freeze":
        own_redis.thaw()
    else:
        await trio.to_thread.run_sync(own_redis.start)
    await until(lambda: b"[1]" in stored("stays") and b"[2]" in stored("changes"), 3)
    await until(lambda: stored("goes") == b"$-1\r\n", 1)
    await until(lambda: service.cache_status == "ok", 1)


@pytest.mark.redis
async def test_a_redis_restarted_between_two_changes_is_filled_again(
    own_redis: RedisServer, tmp_path: Path, cleanup: trio.Nursery
) -> None:
    stack = await running(f"sqlite:///{tmp_path}/p.db", cleanup, own_redis.url)
    stack.service.publish("b", b"[1]")
    await stack.service.flush()
    own_redis.kill()
    own_redis.start()
    await until(lambda: b"[1]" in own_redis.command_line("GET", "presence:b"), 3)


@pytest.mark.postgres
@pytest.mark.redis
async def test_everything_may_be_down_at_the_start(
    own_postgres: PostgresServer, own_redis: RedisServer, cleanup: trio.Nursery
) -> None:
    url = own_postgres.new_database()
    own_postgres.kill()
    own_redis.kill()
    stack = await running(url, cleanup, own_redis.url)
    assert (stack.service.database_status, stack.service.cache_status) == ("down", "down")
    traffic = Traffic(stack)
    for _ in range(200):
        traffic.step()
    await until(lambda: not traffic.joining, 1)
    stack.service.publish("b", b"[1]")
    await trio.to_thread.run_sync(own_postgres.start)
    await trio.to_thread.run_sync(own_redis.start)
    await until(lambda: stack.service.database_status == "ok", 5)
    await until(lambda: b"[1]" in own_redis.command_line("GET", "presence:b"), 3)
    await traffic.assert_stored_within(5)


@pytest.mark.postgres
async def test_a_bad_row_among_good_ones_is_dropped_alone(
    postgres_url: str, cleanup: trio.Nursery
) -> None:
    stack = await running(postgres_url, cleanup)
    traffic = Traffic(stack)
    for _ in range(100):
        traffic.join()
    bad = replace(next(iter(traffic.expected.values())), session_id="bad", user_id="nul \0")
    stack.service.join(bad, UserProfile("nul \0", "x", None, "#123456"), lambda: None)
    await traffic.assert_stored_within(5)
    assert stack.service.counters.rows_dropped == 1


@pytest.mark.postgres
@pytest.mark.redis
async def test_thousands_of_cancelled_calls_leak_nothing_and_mix_up_nothing(
    postgres_url: str, postgres_server: PostgresServer, redis_url: str, cleanup: trio.Nursery
) -> None:
    stack = await running(postgres_url, cleanup, redis_url)
    await hammer(stack, cancellations=2500)
    name = postgres_url.rpartition("/")[2]
    await until(lambda: stack.bridge.in_flight == 0)

    def sessions() -> list[asyncpg.Record]:
        return postgres_server.execute(
            f"SELECT state FROM pg_stat_activity WHERE datname = '{name}'"
        )

    with trio.fail_after(20):
        while True:
            # A flush of what the calls left behind may be under way, and ends.
            states = [row["state"] for row in await trio.to_thread.run_sync(sessions)]
            if set(states) == {"idle"}:
                break
            await trio.sleep(0.05)
    assert len(states) <= LIMITS.connections


async def test_thousands_of_cancelled_calls_leave_sqlite_unlocked(
    tmp_path: Path, cleanup: trio.Nursery
) -> None:
    path = tmp_path / "presence.db"
    stack = await running(f"sqlite:///{path}", cleanup)
    await hammer(stack, cancellations=2500)
    await until(lambda: stack.bridge.in_flight == 0)
    other = patient_connection(path)
    await trio.to_thread.run_sync(other.execute, "BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()


async def hammer(stack: PresenceStack, cancellations: int) -> None:
    """Calls of every kind, cut off at random times; those that answer answer right."""
    rng = random.Random(5)
    answered = cancelled = 0
    traffic = Traffic(stack)
    for board in range(10):
        traffic.join()
        stack.service.publish(f"board-{board}", b"[%d]" % board)
    await stack.service.flush()
    sessions = dict(traffic.expected)

    async def call(number: int) -> None:
        nonlocal answered, cancelled
        board = number % 5
        with trio.move_on_after(rng.random() ** 3 * 0.05) as patience:
            match number % 4:
                case 0:
                    rows = await stack.bridge.call(
                        stack.repository.list_active_presence, [f"board-{board}"]
                    )
                    found = {s.record.session_id for s in rows}
                    assert found == {
                        s for s, r in sessions.items() if r.board_id == f"board-{board}"
                    }
                case 1:
                    users = await stack.bridge.call(stack.cache.get, f"board-{board}")
                    assert users == b"[%d]" % board
                case 2:
                    await stack.bridge.call(
                        stack.repository.insert_presence, list(sessions.values())
                    )
                case _:
                    history = await stack.service.history(f"board-{board}", None, 10)
                    assert len(history) == 2
            answered += 1
        cancelled += patience.cancelled_caught

    numbers = itertools.count()
    async with trio.open_nursery() as nursery:
        while cancelled < cancellations or answered <= 100:
            # Some at once, so that they wait for each other; the pause lets some end.
            for number in itertools.islice(numbers, 4):
                nursery.start_soon(call, number)
            await trio.sleep(0.002)
