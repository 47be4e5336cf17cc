"""The server as a process of its own, which tests may stop and kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trio

from presence_server.server import ListeningAddress
from tests.command import server_command, server_pid

PATIENCE_S = 60.0


class ServerProcess:
    """A running ``presence-server serve``."""

    def __init__(self, process: trio.Process, address: ListeningAddress) -> None:
        self._process = process
        self._pid = server_pid(process.pid)
        self.address = address
        self.log: list[str] = []
        """The lines it has logged since it began to listen."""
        self.log_ended = trio.Event()

    @property
    def pid(self) -> int:
        """The process id of the server, which the single file's launcher started."""
        return self._pid

    async def kill(self) -> None:
        """As a crash does it: no goodbye."""
        self._process.kill()
        await self._process.wait()

    async def signal(self, number: signal.Signals) -> None:
        """Send a signal: to the server when it must stop at once, else as an operator does."""
        if number in (signal.SIGSTOP, signal.SIGCONT):
            os.kill(self.pid, number)
        else:
            self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for the end, and for the last line of the log."""
        with trio.fail_after(PATIENCE_S):
            code = await self._process.wait()
            await self.log_ended.wait()
            return code


@asynccontextmanager
async def server_process(**values: object) -> AsyncIterator[ServerProcess]:
    """Start one on a free port; settings as ``section__key=value``. Killed at the end.

    With ``reads_log=False`` nobody reads what it logs once it listens; with ``until=`` the server
    is there when it logs this event instead of ``listening``.
    """
    until = str(values.pop("until", "listening"))
    reads_log = values.pop("reads_log", True)
    # As the unit and the image start it: Python keeps what it writes until it is a helping.
    kept = ("PRESENCE_", "PYTHONUNBUFFERED")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(kept)}
    environment |= {"PRESENCE_SERVER__PORT": "0", "PRESENCE_LOGGING__FORMAT": "json"}
    environment |= {f"PRESENCE_{key.upper()}": _text(value) for key, value in values.items()}
    process = await trio.lowlevel.open_process(
        server_command("serve"),
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with trio.open_nursery() as nursery:
            lines = _Lines(process.stderr)
            with trio.fail_after(PATIENCE_S):
                server = ServerProcess(process, await lines.address(until))
            if reads_log:
                nursery.start_soon(lines.collect, server)
            else:
                server.log_ended.set()
            yield server
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        await trio.aclose_forcefully(process.stderr)


class _Lines:
    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._rest = b""

    async def next(self) -> str | None:
        """The next whole line; None at the end."""
        while b"\n" not in self._rest:
            data = await self._stream.receive_some()
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    async def address(self, event: str) -> ListeningAddress:
        """Read up to the line with this event, which says where the server listens."""
        seen = []
        while (line := await self.next()) is not None:
            seen.append(line)
            if line.startswith("{") and (entry := json.loads(line))["event"] == event:
                parts = urlsplit(entry["url"])
                return ListeningAddress(str(parts.hostname), int(parts.port or 0), parts.scheme)
        raise AssertionError("the server did not start:\n" + "\n".join(seen))

    async def collect(self, server: ServerProcess) -> None:
        """Keep reading, so that a full pipe does not stop the server."""
        while (line := await self.next()) is not None:
            server.log.append(line)
        server.log_ended.set()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
