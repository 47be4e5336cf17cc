"""Starts the server as its users do: a process of its own, all features on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from tests.command import server_command, server_pid


class Subject(Struct, frozen=True):
    """A running server."""

    host: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time that it and its children have used so far, in seconds."""
        pids = (self.pid, *self.children())
        ticks = sum(int(field) for pid in pids for field in _stat(pid)[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def children(self) -> list[int]:
        """The process ids of its children: the helper, where a board uses Yjs."""
        lists = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(word) for children in lists for word in children.read_text().split()]

    def rss_kib(self) -> int:
        """Memory it has resident without its children, in KiB."""
        return resident_kib(self.pid)


def resident_kib(pid: int) -> int:
    """Memory that a process has resident, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise LookupError("VmRSS")


def _stat(pid: int) -> list[str]:
    """What the kernel counts of a process, from its state on; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


@contextmanager
def running_server(settings: Mapping[str, object] | None = None) -> Iterator[Subject]:
    """A server on a free port with a database of its own; settings by ``section.key``."""
    with tempfile.TemporaryDirectory() as folder:
        process, subject = start_server(Path(folder), settings)
        try:
            yield subject
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start_server(
    folder: Path, settings: Mapping[str, object] | None = None
) -> tuple[subprocess.Popen[bytes], Subject]:
    """Start a server with its database in a folder, and wait until it listens.

    A thread reads its log up to the end, so nobody else may: ``wait`` for it, and do not
    ``communicate``.
    """
    values = {
        "server.port": 0,
        "server.drain_timeout_s": 0,
        "database.url": f"sqlite:///{folder}/presence.db",
        "logging.format": "json",
    } | dict(settings or {})
    environment = dict(os.environ) | {
        f"PRESENCE_{key.upper().replace('.', '__')}": str(value) for key, value in values.items()
    }
    process = subprocess.Popen(server_command("serve"), env=environment, stderr=subprocess.PIPE)
    try:
        host, port = _wait_for_address(process)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process, Subject(host, port, server_pid(process.pid))


def _wait_for_address(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    assert process.stderr is not None
    for line in process.stderr:
        try:
            entry = json.loads(line)
        except ValueError:
            raise RuntimeError(line.decode(errors="replace")) from None
        if entry.get("event") == "listening":
            parts = urlsplit(entry["url"])
            _drain_in_background(process)
            return str(parts.hostname), int(parts.port or 0)
    raise RuntimeError("the server did not start")


def _drain_in_background(process: subprocess.Popen[bytes]) -> None:
    """Its log must not fill the pipe and stop it."""

    def drain() -> None:
        assert process.stderr is not None
        with process.stderr:
            for _ in process.stderr:
                pass

    threading.Thread(target=drain, daemon=True).start()
