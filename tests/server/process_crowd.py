"""Users of a server of several processes, who come back after every cut and note false events."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable

import trio

from presence_server.cluster.slots import slot_of
from tests.server.process import ServerProcess
from tests.server.workers import UPDATE, Cut, is_alive, next_event, open_client, slots_of
from tests.transport.gateway_kit import RawClient

PROCESSES = 4
BOARDS, REGULARS = 8, 3
STEADY_S = 1.0
"""How long the last replacement has served before the next kill."""
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


async def interrupt(crowd: Crowd, slot: int, number: signal.Signals) -> float:
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


async def kill_again_and_again(crowd: Crowd, kills: int) -> list[float]:
    """Kill one process after the other, under joins and moves.

    Returns:
        For each kill the seconds until all its users were back.
    """
    chance = random.Random(2)
    took = []
    for _ in range(kills):
        took.append(await interrupt(crowd, chance.randrange(PROCESSES), signal.SIGKILL))
        await wait_until(lambda: len(slots_of(crowd.server)) == PROCESSES)
        await trio.sleep(STEADY_S)
    return took


def settings_of(url: str) -> dict[str, object]:
    """The settings of a server whose processes are killed."""
    return {
        "server__processes": PROCESSES,
        "database__url": url,
        "database__join_wait_s": 60,
        # A client cannot answer while it sends.
        "limits__ping_interval_s": 3600,
        "limits__connects_per_s": 10_000,
        "limits__connects_burst": 100_000,
    }
