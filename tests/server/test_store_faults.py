"""Postgres or Redis freezes or dies under a serving server: the people on the board notice nothing.

What the service does with the writes is shown in ``tests/presence/test_faults.py``; here it is
what clients see meanwhile, and what is in the stores in the end.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from presence_server.server import ListeningAddress
from tests.server.kit import PATIENCE_S, Client, Event, Visitors, running_server, visiting
from tests.server.raw import ask, plain
from tests.servers import (
    BREAKS_CONNECTIONS,
    PostgresServer,
    RedisServer,
    collected,
    start_postgres,
    start_redis,
)

__all__ = ["collected"]

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.redis, *BREAKS_CONNECTIONS]

BOARD = "demo"
RECOVERY_S = 5.0
"""How long everything may take to be right once the store is back."""
READY = {"status": "ready", "database": "ok", "cache": "ok"}
STATUSES = ("online", "idle", "away")

Row = tuple[bool, str, object]
"""Whether the session is open, and its last status and metadata."""


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


class Talker(Struct):
    """Somebody who stays on the board all the time."""

    name: str
    session_id: str
    client: Client


class Traffic:
    """Two who talk to each other without a pause, and others who come, say something and go.

    ``expected`` holds what must be stored in the end, by session.
    """

    def __init__(self, visitors: Visitors) -> None:
        self.rounds = 0
        self.joins = 0
        self.expected: dict[str, Row] = {}
        self._visitors = visitors
        self._stayed: list[Client] = []
        self._stop = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Until :meth:`stop`; fails when an update does not reach the other one."""
        talkers = [await self._talker(name) for name in ("ada", "bob")]
        self._stayed = [talker.client for talker in talkers]
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._talk, talkers)
            nursery.start_soon(self._come_and_go)

    def stop(self) -> None:
        self._stop.set()

    async def assert_nobody_was_disconnected(self) -> None:
        """Every client that did not leave gets an answer."""
        for client in self._stayed:
            await client.silence()

    async def goes_on(self) -> None:
        """A while of undisturbed traffic passes."""
        rounds, joins = self.rounds + 20, self.joins + 4
        await until(lambda: self.rounds >= rounds and self.joins >= joins, PATIENCE_S)

    async def _talker(self, name: str) -> Talker:
        client = await self._visitors.open(BOARD, user_id=name)
        snapshot = await client.next_of("board:joined")
        session_id = str(snapshot["session_id"])
        self.expected[session_id] = (True, "online", None)
        return Talker(name, session_id, client)

    async def _talk(self, talkers: list[Talker]) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            speaker, listener = talkers[number % 2], talkers[1 - number % 2]
            status, metadata = STATUSES[number % 3], {"n": number}
            await speaker.client.send("presence:update", status=status, metadata=metadata)
            self.expected[speaker.session_id] = (True, status, metadata)
            event: Event = {}
            while (event.get("user_id"), event.get("metadata")) != (speaker.name, metadata):
                event = await listener.client.next_of("presence:update")
            assert event["status"] == status
            await speaker.client.send("heartbeat")
            await speaker.client.next_of("heartbeat:ack")
            self.rounds += 1
            await trio.sleep(0.02)

    async def _come_and_go(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            guest = await self._talker(f"guest-{number}")
            metadata = {"guest": number}
            await guest.client.send("presence:update", status="away", metadata=metadata)
            goes = number % 3 != 0
            if goes:
                await guest.client.send("board:leave")
                assert (await guest.client.close_code())[0] == 1000
            else:
                self._stayed.append(guest.client)
            self.expected[guest.session_id] = (not goes, "away", metadata)
            self.joins += 1
            await trio.sleep(0.1)


class House:
    """A server with its traffic, and a look into its stores."""

    def __init__(
        self,
        address: ListeningAddress,
        postgres: PostgresServer,
        database_url: str,
        redis: RedisServer,
    ) -> None:
        self.address = address
        self._postgres = postgres
        self._database_url = database_url
        self._redis = redis

    async def ready(self) -> dict[str, str]:
        """What ``/readyz`` says; that it is 200 is part of it."""
        answer = await ask(self.address, plain("GET /readyz HTTP/1.1", "Connection: close"))
        assert answer.status == 200
        found: dict[str, str] = json.loads(answer.body)
        return found

    async def is_ready_like(self, expected: dict[str, str], seconds: float) -> None:
        with trio.fail_after(seconds):
            while await self.ready() != expected:  # noqa: ASYNC110 - it cannot call us
                await trio.sleep(0.05)

    async def rows(self) -> dict[str, Row]:
        """Every session in the store."""

        def query() -> dict[str, Row]:
            sql = "SELECT session_id, status, metadata, disconnected_at FROM collab.presence"
            found: dict[str, Row] = {}
            for row in self._postgres.execute(sql, self._database_url):
                metadata = None if row["metadata"] is None else json.loads(row["metadata"])
                is_open = row["disconnected_at"] is None
                found[row["session_id"]] = (is_open, row["status"], metadata)
            return found

        return await trio.to_thread.run_sync(query)

    async def cached(self) -> object:
        """The board's list in Redis."""
        reply = self._redis.command_line("GET", f"presence:{BOARD}")
        head, _, body = reply.partition(b"\r\n")
        return None if head == b"$-1" else json.loads(body)

    async def listed(self) -> object:
        """The board's list as the API tells it."""
        path = f"/api/boards/{BOARD}/presence"
        answer = await ask(self.address, plain(f"GET {path} HTTP/1.1", "Connection: close"))
        users: object = json.loads(answer.body)["users"]
        return users

    async def is_right_within(self, seconds: float, expected: dict[str, Row]) -> None:
        """Both stores hold what they must; on failure the assertion shows the difference."""
        with trio.move_on_after(seconds):
            while not await self._is_right(expected):  # noqa: ASYNC110 - stores cannot either
                await trio.sleep(0.1)
        assert await self.rows() == expected
        assert await self.cached() == await self.listed()

    async def _is_right(self, expected: dict[str, Row]) -> bool:
        return await self.rows() == expected and await self.cached() == await self.listed()


async def until(condition: Callable[[], bool], seconds: float) -> None:
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - the traffic has no event for each of its steps
            await trio.sleep(0.02)


@asynccontextmanager
async def busy_house(
    folder: Path, postgres: PostgresServer, redis: RedisServer
) -> AsyncIterator[tuple[House, Traffic]]:
    """A server on both stores, with traffic until the block ends; then all must be right."""
    url = postgres.new_database()
    async with (
        running_server(
            folder,
            database__url=url,
            redis__url=redis.url,
            limits__messages_per_s=10_000,
            # Nobody's status is to change by itself.
            board__idle_after_s=600,
            board__away_after_s=1200,
            board__capacity=1000,
        ) as address,
        visiting(address) as visitors,
        trio.open_nursery() as nursery,
    ):
        house, traffic = House(address, postgres, url, redis), Traffic(visitors)
        await nursery.start(traffic.run)
        await house.is_ready_like(READY, PATIENCE_S)
        await traffic.goes_on()
        yield house, traffic
        await house.is_ready_like(READY, RECOVERY_S)
        await traffic.goes_on()
        traffic.stop()
        await house.is_right_within(RECOVERY_S, traffic.expected)
        await traffic.assert_nobody_was_disconnected()


@pytest.mark.parametrize("fault", ["freeze", "kill"])
@pytest.mark.parametrize("part", ["database", "cache"])
async def test_a_store_in_trouble_disturbs_nobody_and_is_right_again_afterwards(
    tmp_path: Path, own_postgres: PostgresServer, own_redis: RedisServer, part: str, fault: str
) -> None:
    store = own_postgres if part == "database" else own_redis
    async with busy_house(tmp_path, own_postgres, own_redis) as (house, traffic):
        if fault == "freeze":
            store.freeze()
        else:
            await trio.to_thread.run_sync(store.kill)
        # Before the server knows, which with a frozen store takes some seconds; and after.
        await traffic.goes_on()
        await house.is_ready_like({**READY, "status": "degraded", part: "down"}, PATIENCE_S)
        await traffic.goes_on()
        assert (await house.ready())[part] == "down"
        if fault == "freeze":
            store.thaw()
        else:
            await trio.to_thread.run_sync(store.start)
