"""A supervisor with children that only do what a test says; run as a program.

Its argument names the scenario. It prints what happens, and exits as the supervisor does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import structlog

from presence_server.server.child import Child, start_child
from presence_server.server.control import Channel, Failed, Lost, Order, Prepared, Serving
from presence_server.server.family import Family
from presence_server.server.listening import ListeningAddress
from presence_server.server.notify import ServiceManager
from presence_server.server.supervisor import Supervisor
from presence_server.settings import SettingsError


def say(*words: object) -> None:
    # One call, or the lines of two processes may mix.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def wait_for_order(end: socket.socket) -> Order:
    end.setblocking(True)
    return Order(end.recv(1000))


class Title:
    epoch = 0

    def acquire(self) -> bool:
        return True

    def is_held(self) -> bool:
        return True


Run = Callable[[socket.socket], int]


class FakeFamily:
    """Two workers; ``worker`` and ``keeper`` are what the children do."""

    processes = 2
    keeper_stays = False
    address = ListeningAddress("127.0.0.1", 1)

    def __init__(self, worker: Callable[[int, int], Run], keeper: Run | None = None) -> None:
        self.title = Title()
        self._worker = worker
        self._keeper = keeper or prepares

    def start_keeper(self, now: float, *, answers: bool, waits: bool) -> Child:
        return start_child("keeper", now, self._keeper)

    def start_worker(self, slot: int, now: float, restarts: int) -> Child:
        say("start", slot, restarts)
        return start_child(str(slot), now, self._worker(slot, restarts))

    def renew_title(self) -> None:
        say("renew")
        Path(sys.argv[2]).touch()


def prepares(end: socket.socket) -> int:
    Channel(end).report(Prepared())
    return 0


def serves(end: socket.socket) -> int:
    Channel(end).report(Serving())
    say("order", wait_for_order(end).name)
    return 0


def ends_with(code: int, failure: Failed | None = None) -> Run:
    def run(end: socket.socket) -> int:
        if failure is not None:
            Channel(end).report(failure)
        return code

    return run


def stop_soon(restarts: int) -> Run:
    """Serve, and have the supervisor stopped."""

    def run(end: socket.socket) -> int:
        Channel(end).report(Serving())
        os.kill(os.getppid(), signal.SIGTERM)
        return serves(end)

    return run


def ignores_orders(end: socket.socket) -> int:
    Channel(end).report(Serving())
    time.sleep(60)
    return 0


def loses(end: socket.socket) -> int:
    Channel(end).report(Serving())
    Channel(end).report(Lost())
    say("order", wait_for_order(end).name)
    return 0


SETTING = Failed(("redis.url: no", "database.url: no"), may_pass=False)

SCENARIOS: dict[str, Callable[[], FakeFamily]] = {
    # One worker dies twice before it served, then everything is stopped.
    "dies": lambda: FakeFamily(
        lambda slot, restarts: (
            serves if slot == 0 else ends_with(9) if restarts < 2 else stop_soon(restarts)
        )
    ),
    "code-2": lambda: FakeFamily(
        lambda slot, _: serves if slot == 0 else ends_with(2, SETTING), prepares
    ),
    "keeper-75": lambda: FakeFamily(
        lambda _slot, _: serves, ends_with(75, Failed(("the database is down",), may_pass=True))
    ),
    "deaf": lambda: FakeFamily(
        lambda slot, restarts: ignores_orders if slot == 0 else stop_soon(restarts)
    ),
    "lost": lambda: FakeFamily(
        lambda slot, _: serves if slot == 0 else loses,
        lambda end: prepares(end) if not Path(sys.argv[2]).exists() else ends_with(2, SETTING)(end),
    ),
}


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    family = SCENARIOS[sys.argv[1]]()
    supervisor = Supervisor(cast("Family", family), 0.3, 30, ServiceManager())
    try:
        supervisor.run()
    except SettingsError as error:
        say("wrong", *error.problems)
        sys.exit(2)
    except Exception as error:
        say("failed", error)
        sys.exit(75)


if __name__ == "__main__":
    main()
