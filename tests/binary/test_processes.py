"""The single file is two processes. Systemd, shells and ``kill`` see one that behaves."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from presence_server.client import connect
from tests.binary.kit import PATIENCE_S, Program, RunningProgram, until

DRAIN_S = 1.5
CREDENTIALS = struct.Struct("3i")
"""unix(7): pid, uid and gid of who sent a datagram."""

State = dict[str, str]


class Manager:
    """systemd's side of the notifications: a socket that is told who sends."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        path.chmod(0o777)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.settimeout(PATIENCE_S)

    def next(self) -> tuple[int, State]:
        """Who sends the next notification, and what it says."""
        data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
        ((_, kind, credentials),) = ancillary
        assert kind == socket.SCM_CREDENTIALS
        pid, _, _ = CREDENTIALS.unpack(credentials)
        return pid, dict(line.split("=", 1) for line in data.decode().split("\n"))

    def next_but(self, passed_over: State) -> tuple[int, State]:
        while (found := self.next())[1] == passed_over:
            pass
        return found


@pytest.fixture
def manager(home: Path) -> Iterator[Manager]:
    found = Manager(home / "notify")
    with found.socket:
        yield found


def test_ready_watchdog_and_stopping_come_from_the_child_though_systemd_names_the_launcher(
    single: Program, manager: Manager
) -> None:
    # As systemd writes it: the process that it has started, which becomes the launcher.
    as_systemd = ["/bin/sh", "-c", 'WATCHDOG_PID=$$ exec "$0" "$@"']
    environ = {"NOTIFY_SOCKET": str(single.home / "notify"), "WATCHDOG_USEC": "200000"}
    with single.serving(before=as_systemd, **environ) as server:
        sender, state = manager.next()
        assert state == {"READY": "1", "STATUS": f"Serving {server.url}"}
        # NotifyAccess=main would refuse it; the unit for the file says NotifyAccess=all.
        assert sender == server.child != server.process.pid
        assert manager.next()[1] == {"WATCHDOG": "1"}
        assert manager.next()[1] == {"WATCHDOG": "1"}
        server.process.terminate()
        sender, state = manager.next_but({"WATCHDOG": "1"})
        assert state["STOPPING"] == "1"
        assert server.exit_code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whom", ["launcher", "group"])
async def test_one_signal_drains_also_when_launcher_and_child_both_get_it(
    single: Program, number: signal.Signals, whom: str
) -> None:
    """The group is what Ctrl-C signals, and systemd without ``KillMode=mixed``."""
    environ = {"PRESENCE_SERVER__DRAIN_TIMEOUT_S": str(DRAIN_S), "TMPDIR": str(single.home)}
    with single.serving(**environ) as server:
        async with connect(server.url, "demo", user_id="ada") as client:
            if whom == "group":
                os.killpg(server.process.pid, number)
            else:
                server.process.send_signal(number)
            with trio.fail_after(PATIENCE_S):
                async for event in client:
                    if getattr(event, "code", None) is not None:
                        assert getattr(event, "code", None) == 1012
                        break
        assert await trio.to_thread.run_sync(server.exit_code) == 0
        assert server.events().count("signal") == 1
        assert "draining" in server.events()
    assert _unpacked(single) == []


def test_kill_of_the_launcher_ends_the_server_and_frees_the_port(single: Program) -> None:
    with single.serving() as server:
        server.process.kill()
        server.process.wait(PATIENCE_S)
        until(lambda: _is_free(server.port), "the child lives on and holds the port")


def test_what_a_killed_server_left_is_removed_by_the_next_start(single: Program) -> None:
    folder = single.home / "tmp"
    folder.mkdir()
    folder.chmod(0o777)
    with single.serving(TMPDIR=str(folder)) as living:
        # A database of its own: a second server on the same one waits for the first.
        own = ["--database", "sqlite:///own.db"]
        with single.serving(*own, TMPDIR=str(folder)) as server:
            (before,) = [path for path in folder.iterdir() if _holds(server, path)]
            server.process.kill()
            server.process.wait(PATIENCE_S)
        assert before.is_dir()
        single.output("--version", TMPDIR=str(folder))
        (left,) = folder.iterdir()
        assert left != before
        assert _holds(living, left)


@pytest.mark.root
def test_in_a_namespace_whose_proc_shows_other_processes_it_runs(single: Program) -> None:
    rights = Program(single.path, single.home, None)
    unshared = rights.start("--version", before=["/usr/bin/unshare", "--pid", "--fork"])
    out, err = unshared.communicate(timeout=PATIENCE_S)
    assert (unshared.returncode, err) == (0, "")
    assert out.startswith("presence-server ")


def test_a_fault_is_written_when_python_is_asked_to(single: Program) -> None:
    """Systemd's watchdog sends SIGABRT, to the launcher."""
    with single.serving(PYTHONFAULTHANDLER="1") as server:
        server.process.send_signal(signal.SIGABRT)
        assert server.exit_code() == -signal.SIGABRT
    text = "".join(server.lines)
    assert "Fatal Python error: Aborted" in text
    assert "presence_server" in text


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def _unpacked(program: Program) -> list[Path]:
    return [path for path in program.home.iterdir() if path.name.startswith("_MEI")]


def _holds(server: RunningProgram, folder: Path) -> bool:
    """Whether a server runs from a folder."""
    return str(folder) in Path(f"/proc/{server.child}/maps").read_text()
