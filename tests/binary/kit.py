"""Runs the programs that ``make packages`` built as a stranger does: no variable is set."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from presence_server import __version__

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
FILE = DIST / "presence-server"
FOLDER = ROOT / "build" / "binary" / "dist" / "folder"
PATIENCE_S = 60.0
"""A bound on every wait, far above what a healthy program needs."""

Json = dict[str, object]


def one_package(ending: str) -> Path:
    """The package of this version with an ending, such as ``.deb``."""
    (found,) = DIST.glob(f"presence-server[-_]{__version__}[-_]*{ending}")
    return found


class Program(Struct, frozen=True):
    """One of the forms, and who runs it where."""

    path: Path
    home: Path
    """The working directory; empty at first, and the user's."""
    user: str | None
    """None: whoever runs the tests."""

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with no variables but these."""
        return subprocess.run(
            [str(self.path), *words],
            env=environ,
            cwd=self.home,
            user=self.user,
            extra_groups=None if self.user is None else [],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def output(self, *words: str, **environ: str) -> str:
        """What a command prints that ends well and complains about nothing."""
        done = self.run(*words, **environ)
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout

    def start(
        self, *words: str, before: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a command in a session of its own; ``before`` is a program that executes it."""
        return subprocess.Popen(
            [*before, str(self.path), *words],
            env=dict(environ or {}),
            cwd=self.home,
            user=self.user,
            extra_groups=None if self.user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @contextmanager
    def serving(
        self, *words: str, before: Sequence[str] = (), **environ: str
    ) -> Iterator[RunningProgram]:
        """Serve on a free port; killed at the end with everything that it started."""
        process = self.start("serve", "--port", "0", *words, before=before, environ=environ)
        running = RunningProgram(process)
        try:
            running.wait_until_it_listens()
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            running.reader.join(PATIENCE_S)
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            process.stderr.close()


class RunningProgram:
    """A program that serves, and what it has logged."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.url = ""
        self._listens = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(urlsplit(self.url).port or 0)

    @property
    def child(self) -> int:
        """The process that the launcher of the single file started."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    @property
    def log(self) -> list[Json]:
        """The lines of its log."""
        return [json.loads(line) for line in self.lines]

    def events(self) -> list[object]:
        """What happened, by the log."""
        return [entry["event"] for entry in self.log]

    def wait_until_it_listens(self) -> None:
        """Wait for the line that says where."""
        assert self._listens.wait(PATIENCE_S), self.lines
        assert self.url, "".join(self.lines)

    def get(self, path: str) -> bytes:
        """The body of a page."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as answer:
            body: bytes = answer.read()
            return body

    def exit_code(self) -> int:
        """Wait for the end."""
        code = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if not self.url and line.startswith("{") and '"listening"' in line:
                self.url = json.loads(line)["url"]
                self._listens.set()
        self._listens.set()


@contextmanager
def empty_home(user: str | None) -> Iterator[Path]:
    """An empty folder of a user, whose path others may walk; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="presence-binary-"))
    folder.chmod(0o755)
    if user is not None:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stranger() -> str | None:
    """A user without rights, if the tests may become one."""
    if os.geteuid() != 0:
        return None
    return "nobody"


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again: the operating system tells nobody when it is so far."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
