"""What systemd is told, over a socket such as its own."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from presence_server.server.notify import ServiceManager
from tests.server.kit import PATIENCE_S, visiting
from tests.server.process import server_process

READY = {"READY": "1", "STATUS": "Serving http://x"}
STOPPING = {"STOPPING": "1", "STATUS": "Draining"}
ALIVE = {"WATCHDOG": "1"}

State = dict[str, str]


class Systemd:
    """The manager's side: a datagram socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def manager(self, **environ: str) -> ServiceManager:
        """What a server makes of an environment with this socket."""
        return ServiceManager.of({"NOTIFY_SOCKET": self.address, **environ})

    def heard(self) -> list[State]:
        """All that has arrived."""
        states = []
        try:
            while True:
                states.append(_state(self.socket.recv(4096)))
        except BlockingIOError:
            return states

    async def next(self) -> State:
        """The next to arrive."""
        with trio.fail_after(PATIENCE_S):
            await trio.lowlevel.wait_readable(self.socket)
            return _state(self.socket.recv(4096))

    async def next_but(self, passed_over: State) -> State:
        while (state := await self.next()) == passed_over:
            pass
        return state


def _state(datagram: bytes) -> State:
    return dict(line.split("=", 1) for line in datagram.decode().split("\n"))


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    if request.param == "abstract" and not Path("/proc/self").exists():
        pytest.skip("abstract sockets are Linux's")
    name = f"@presence-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "s")
    found = Systemd(name)
    with found.socket:
        yield found


@asynccontextmanager
async def telling(manager: ServiceManager) -> AsyncIterator[trio.Event]:
    """A server that is up; the event stops it."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        manager.set_status("Serving http://x")
        nursery.start_soon(manager.keep_informed, stop)
        await trio.testing.wait_all_tasks_blocked()
        yield stop
        nursery.cancel_scope.cancel()


async def test_ready_at_once_and_stopping_when_told_to(systemd: Systemd) -> None:
    async with telling(systemd.manager()) as stop:
        assert systemd.heard() == [READY]
        stop.set()
        await trio.testing.wait_all_tasks_blocked()
        assert systemd.heard() == [STOPPING]


async def test_a_server_that_waits_is_ready_and_says_later_that_it_serves(
    systemd: Systemd,
) -> None:
    manager = systemd.manager()
    manager.set_status("waiting for the owner")
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.keep_informed, stop)
        await trio.testing.wait_all_tasks_blocked()
        assert systemd.heard() == [{"READY": "1", "STATUS": "waiting for the owner"}]
        manager.set_status("Serving http://x")
        assert systemd.heard() == [{"STATUS": "Serving http://x"}]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("pid", [{}, {"WATCHDOG_PID": str(os.getpid())}])
async def test_signs_of_life_at_half_of_the_timeout_during_the_drain_too(
    systemd: Systemd, autojump_clock: trio.testing.MockClock, pid: Mapping[str, str]
) -> None:
    async with telling(systemd.manager(WATCHDOG_USEC="30000000", **pid)) as stop:
        assert systemd.heard() == [READY, ALIVE]
        await trio.sleep(15.1)
        assert systemd.heard() == [ALIVE]
        await trio.sleep(15)
        assert systemd.heard() == [ALIVE]
        stop.set()
        await trio.sleep(15)
        assert systemd.heard() == [STOPPING, ALIVE]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
    ],
    ids=["not asked", "another process is asked", "zero", "not a number"],
)
async def test_no_signs_of_life_where_none_are_asked_for(
    systemd: Systemd, autojump_clock: trio.testing.MockClock, environ: Mapping[str, str]
) -> None:
    async with telling(systemd.manager(**environ)):
        await trio.sleep(3600)
        assert systemd.heard() == [READY]


async def test_an_event_loop_that_hangs_shows_no_life(systemd: Systemd) -> None:
    async with telling(systemd.manager(WATCHDOG_USEC="20000")):
        await systemd.next_but(READY)
        systemd.heard()
        time.sleep(0.2)  # noqa: ASYNC251 - the fault
        assert systemd.heard() == []


async def test_without_a_manager_nothing_is_sent_and_nothing_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    manager = ServiceManager.of({"WATCHDOG_USEC": "30000000", "NOTIFY_SOCKET": ""})
    async with telling(manager) as stop:
        stop.set()
        await trio.testing.wait_all_tasks_blocked()
    assert capsys.readouterr() == ("", "")


async def test_a_manager_that_is_gone_or_does_not_listen_stops_nobody(
    systemd: Systemd, tmp_path: Path
) -> None:
    ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "nowhere")}).tell(READY="1")
    ServiceManager.of({"NOTIFY_SOCKET": "vsock:2:1234"}).tell(READY="1")
    manager = systemd.manager()
    # Far more than the queue of a datagram socket takes.
    for _ in range(10_000):
        manager.tell(READY="1")
    assert 0 < len(systemd.heard()) < 10_000


@pytest.mark.e2e
async def test_the_process_is_ready_once_its_port_is_open_and_says_when_it_drains(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    async with server_process(database__url=f"sqlite:///{tmp_path}/presence.db") as server:
        ready = await systemd.next()
        assert ready == {"READY": "1", "STATUS": f"Serving {server.address.url}"}
        async with visiting(server.address) as visitors:
            await visitors.join("ada")
            for _ in range(3):
                assert await systemd.next() == ALIVE
        await server.signal(signal.SIGTERM)
        assert await systemd.next_but(ALIVE) == STOPPING
        assert await server.exit_code() == 0
