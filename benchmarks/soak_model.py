"""Random clients that check what they see, while the server is killed again and again.

Each client keeps a replica of its board. At no time may a board hold more users than seats,
a user join twice or leave twice, a later one of the queue get a seat before an earlier one, or
a session be lost that its owner was told of. When everything is quiet, replicas, REST and the
rows of the store must be the same. Every violation is printed; one is enough to fail.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.model_clients import ModelClients
from benchmarks.model_queue import Place
from benchmarks.model_replica import shown
from benchmarks.model_rows import ModelStore, differences_of_rows
from benchmarks.subject import Subject, start_server
from tests.servers import free_port

CAPACITY = 6
BOARDS = ["model-1", "model-2", "model-3"]
PEOPLE = [f"user-{number}" for number in range(14)]
ADMIN_TOKEN = "the token of the model client"
QUEUE_GRACE_S = 4.0
SETTINGS: dict[str, object] = {
    "board.capacity": CAPACITY,
    "board.heartbeat_interval_s": 2,
    # More than a restart takes, with the last sign of life in the store up to 2.5 s old.
    "board.timeout_s": 60,
    "board.idle_after_s": 1000,
    "board.away_after_s": 2000,
    "board.leave_grace_s": 0.3,
    "board.reconnecting_after_s": 0.5,
    "board.reclaim_after_s": 5,
    "board.cursor_interval_ms": 20,
    "queue.grace_s": QUEUE_GRACE_S,
    # Nobody joins from memory, which a kill would lose.
    "database.join_wait_s": 30,
    "limits.messages_per_s": 1000,
    "limits.burst": 100_000,
    "limits.connects_per_s": 100_000,
    "auth.admin_token": ADMIN_TOKEN,
}
ACTIONS_PER_S = 150
CHURN_S = (3.0, 8.0)
RETURNS_S = 2.2
"""Seconds after a restart in which everybody is back and hears a position, and no seat of
somebody who dropped is reclaimed yet."""
QUIET_WITHIN_S = 15.0
"""Seconds in which everybody agrees once nobody does anything."""


class ModelSoak:
    """One run over one database.

    Args:
        folder: where the server runs.
        seed: of everything random.
        store: its database.
    """

    def __init__(self, folder: Path, seed: int, store: ModelStore) -> None:
        self._folder = folder
        self._store = store
        self._chance = random.Random(seed)
        self._settings = SETTINGS | {"server.port": free_port(), "database.url": store.url}
        self._clients = ModelClients(self._chance, BOARDS, PEOPLE, CAPACITY, QUEUE_GRACE_S)
        self._process, self._subject = start_server(folder, self._settings)
        self._clients.meet(self._subject)

    def run(self, seconds: float, connects: int = 0, kills: int = 0) -> list[str]:
        """Churn, kill, compare; returns the violations.

        Args:
            seconds: how long, at least.
            connects: connections to make at least.
            kills: kills of the server at least.
        """
        clients = self._clients
        stop_at = time.monotonic() + seconds

        def is_enough() -> bool:
            did = clients.did
            if did["connects"] < connects or did["kills"] < kills:
                return False
            return time.monotonic() >= stop_at

        try:
            while not is_enough() and not clients.violations:
                self._churn(self._chance.uniform(*CHURN_S))
                if self._chance.random() < 0.75:
                    self._kill()
                else:
                    self._compare()
            if not clients.violations:
                self._churn(2.0)
                self._compare()
        finally:
            clients.close()
            self._process.terminate()
            self._process.wait(timeout=30)
        print("did", ", ".join(f"{name} {n}" for name, n in sorted(clients.did.items())))
        return clients.violations

    def _churn(self, seconds: float) -> None:
        began, done = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            self._clients.turn(0.005)
            while done < passed * ACTIONS_PER_S:
                done += 1
                victim = self._clients.act()
                if victim is not None and self._kick(*victim):
                    self._clients.kicked(*victim)

    def _wait(self, seconds: float) -> None:
        stop_at = time.monotonic() + seconds
        while time.monotonic() < stop_at:
            self._clients.turn(0.01)

    def _kill(self) -> None:
        """Kill the server amid everything, start it again, and let everybody come back."""
        self._clients.did["kills"] += 1
        self._process.kill()
        self._process.wait()
        order = self._clients.died()
        for board in BOARDS:
            count = len(self._store.open_rows(board))
            if count > CAPACITY:
                self._clients.violations.append(f"{board}: {count} open users in the store")
        self._process, self._subject = start_server(self._folder, self._settings)
        self._clients.meet(self._subject)
        self._clients.come_back()
        self._wait(RETURNS_S)
        self._check_order(order)

    def _check_order(self, order: dict[str, list[Place]]) -> None:
        for board, places in order.items():
            for problem in self._clients.queues[board].out_of_order(places):
                self._clients.violations.append(f"{board}: {problem}")

    def _compare(self) -> None:
        """Wait until replicas, REST and rows agree; they must, soon after the last action."""
        self._clients.did["comparisons"] += 1
        stop_at = time.monotonic() + QUIET_WITHIN_S
        while True:
            self._wait(0.5)
            different = [problem for board in BOARDS for problem in self._differences(board)]
            if not different or self._clients.violations:
                return
            if time.monotonic() > stop_at:
                self._clients.violations += different
                return

    def _differences(self, board: str) -> list[str]:
        listed = {user["user_id"]: shown(user) for user in self._rest(board)}
        found = []
        for tab in self._clients.joined(board):
            problems = tab.replica.differences(listed)
            found += [f"{board}: {tab.user_id} sees that {problem}" for problem in problems]
        return found + [
            f"{board}: in the store {line}"
            for line in differences_of_rows(self._store.open_rows(board), listed)
        ]

    def _rest(self, board: str) -> list[dict[str, object]]:
        url = f"http://{self._subject.host}:{self._subject.port}/api/boards/{board}/presence"
        with urllib.request.urlopen(url, timeout=30) as answer:
            users: list[dict[str, object]] = json.load(answer)["users"]
            return users

    def _kick(self, board: str, user_id: str) -> bool:
        """Remove a user; False if nobody of that name was there."""
        subject: Subject = self._subject
        request = urllib.request.Request(
            f"http://{subject.host}:{subject.port}/api/boards/{board}/users/{user_id}",
            method="DELETE",
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            error.close()
            return False
        return True


def soak_model(
    seconds: float, seed: int, *, is_postgres: bool = False, connects: int = 0, kills: int = 0
) -> list[str]:
    """Run once, with a store of its own; returns the violations.

    Args:
        seconds: how long, at least.
        seed: of everything random.
        is_postgres: whether the store is PostgreSQL.
        connects: connections to make at least, however long that takes.
        kills: kills of the server at least, however long that takes.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = ModelStore(Path(folder), is_postgres=is_postgres)
        return ModelSoak(Path(folder), seed, store).run(seconds, connects, kills)
