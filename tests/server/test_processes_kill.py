"""Processes of a server that are killed or stopped: who comes back was never gone."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from presence_server.cluster.slots import slot_of
from tests.server.process import ServerProcess, server_process
from tests.server.workers import (
    UPDATE,
    Cut,
    children_of,
    is_alive,
    next_event,
    open_client,
    slots_of,
)
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

PROCESSES = 4
BOARDS, REGULARS = 8, 3
KILLS = 20
STEADY_S = 1.0
"""How long the last replacement has served before the next kill."""
RESUME_S = 2.0
"""Within this time after a kill everybody is back."""
PATIENCE_S = 30.0
"""On a machine that is busy with other tests."""
QUIET = {"presence:update", "presence:cursors", "heartbeat:ack"}
"""Events that say nothing about who is on a board."""


class Regular:
    """A user who moves a cursor, comes back after every cut, and watches for false events."""

    def __init__(self, server: ServerProcess, board: str, name: str) -> None:
        self._server = server
        self.board = board
        self.name = name
        self._session: str | None = None
        self.client: RawClient | None = None
        self.resumes = 0
        self.is_back = trio.Event()
        self.false_events: list[object] = []
        self.is_watching = False

    async def live(self) -> None:
        while True:
            try:
                await self._connect()
                while (found := await next_event(self._of_mine())) is not None:
                    if self.is_watching and found["type"] not in QUIET:
                        self.false_events.append(found)
            except Cut:
                pass  # Its process died before the handshake was over.
            finally:
                client, self.client, self.is_back = self.client, None, trio.Event()
                if client is not None:
                    await trio.aclose_forcefully(client.stream)

    async def _connect(self) -> None:
        query = {"user_id": self.name}
        if self._session is not None:
            query["session_id"] = self._session
        client = await open_client(self._server.address, self.board, query)
        self.client = client
        while True:
            found = await next_event(client)
            if found is None:
                raise Cut
            if found["type"] == "board:joined":
                break
            assert found["type"] in QUIET, found
        assert found["resumed"] is (self._session is not None), self.name
        self._session = str(found["session_id"])
        self.resumes += 1
        self.is_back.set()

    def _of_mine(self) -> RawClient:
        assert self.client is not None
        return self.client

    async def move(self) -> None:
        while True:
            await trio.sleep(0.1)
            client = self.client
            if client is not None:
                try:
                    await client.send(UPDATE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass  # The reader notices, too.
                except trio.BusyResourceError:
                    pass


class Crowd:
    """Regulars on every board, and passers-by who join other boards all the time."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.regulars = [
            Regular(server, f"board-{board}", f"user-{user}")
            for board in range(BOARDS)
            for user in range(REGULARS)
        ]
        self.passed = 0

    async def gather(self, nursery: trio.Nursery) -> None:
        for regular in self.regulars:
            nursery.start_soon(regular.live)
            nursery.start_soon(regular.move)
        for regular in self.regulars:
            await regular.is_back.wait()
        # Everybody has heard of everybody.
        await trio.sleep(STEADY_S)
        for regular in self.regulars:
            regular.is_watching = True

    async def pass_by(self) -> None:
        while True:
            self.passed += 1
            board = f"passing-{random.randrange(50)}"
            try:
                client = await open_client(
                    self.server.address, board, {"user_id": f"p{self.passed}"}
                )
            except Cut:
                continue
            try:
                await next_event(client)
            finally:
                await trio.aclose_forcefully(client.stream)

    def of_slot(self, slot: int) -> list[Regular]:
        return [r for r in self.regulars if slot_of(r.board, PROCESSES) == slot]


async def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    with trio.fail_after(patience_s):
        while not condition():  # noqa: ASYNC110 - another process cannot call us
            await trio.sleep(0.02)


async def _interrupt(crowd: Crowd, slot: int, number: signal.Signals) -> float:
    """Kill or stop the process of a slot; returns after how many seconds all were back."""
    pid = slots_of(crowd.server)[slot]
    theirs = crowd.of_slot(slot)
    before = {regular.name + regular.board: regular.resumes for regular in crowd.regulars}
    os.kill(pid, number)
    began = trio.current_time()

    def all_are_back() -> bool:
        return all(r.resumes > before[r.name + r.board] for r in theirs)

    await wait_until(all_are_back)
    took_s = trio.current_time() - began
    assert not is_alive(pid)
    for regular in crowd.regulars:
        key = regular.name + regular.board
        expected = before[key] + (regular in theirs)
        assert regular.resumes == expected, (regular.board, slot)
        assert regular.false_events == [], regular.board
    return took_s


async def test_whoever_comes_back_after_a_kill_was_never_gone_and_the_others_notice_nothing(
    tmp_path: Path,
) -> None:
    async with (
        server_process(
            server__processes=PROCESSES,
            database__url=f"sqlite:///{tmp_path}/presence.db",
            database__join_wait_s=60,
            # A client cannot answer while it sends.
            limits__ping_interval_s=3600,
            limits__connects_per_s=10_000,
            limits__connects_burst=100_000,
        ) as server,
        trio.open_nursery() as nursery,
    ):
        crowd = Crowd(server)
        await crowd.gather(nursery)
        nursery.start_soon(crowd.pass_by)
        chance = random.Random(2)
        took = []
        for _ in range(KILLS):
            took.append(await _interrupt(crowd, chance.randrange(PROCESSES), signal.SIGKILL))
            await wait_until(lambda: len(slots_of(server)) == PROCESSES)
            await trio.sleep(STEADY_S)
        nursery.cancel_scope.cancel()
    print("seconds until all were back:", [round(seconds, 2) for seconds in sorted(took)])
    assert crowd.passed > KILLS
    # A test machine may be busy for a moment, but not in every other kill.
    assert sorted(took)[len(took) // 2] <= RESUME_S


async def test_a_stopped_process_is_replaced_and_a_dead_supervisor_takes_all_with_it(
    tmp_path: Path,
) -> None:
    stall_timeout_s = 2
    async with server_process(
        server__processes=2,
        server__stall_timeout_s=stall_timeout_s,
        limits__ping_interval_s=3600,
        database__url=f"sqlite:///{tmp_path}/presence.db",
    ) as server:
        crowd = Crowd(server)
        crowd.regulars = [r for r in crowd.regulars if slot_of(r.board, 2) == slot_of(r.board, 4)]
        pid = slots_of(server)[0]
        async with trio.open_nursery() as nursery:
            await crowd.gather(nursery)
            took_s = await _interrupt(crowd, 0, signal.SIGSTOP)
            nursery.cancel_scope.cancel()
        assert took_s >= stall_timeout_s - 0.5
        assert slots_of(server)[0] != pid
        (killed,) = [line for line in server.log if "shows no life and is killed" in line]
        assert '"child": "0"' in killed
        workers = children_of(server.pid)
        assert len(workers) == 2
        os.kill(server.pid, signal.SIGKILL)
        await wait_until(lambda: not any(map(is_alive, workers)))
