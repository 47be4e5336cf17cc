"""Real PostgreSQL and Redis for tests: started once a session, on free ports, in temporary folders.

A missing server fails the test in CI and skips it elsewhere, with what to install.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn, TypeVar

import asyncpg
import pytest

from tests import programs

_PORTS = range(20_000, 32_000)
"""Out of the range that connections take theirs from: another test may have thousands."""

T = TypeVar("T")

_START_S = 30.0
_numbers = itertools.count(1)


class Process:
    """A server process in a folder of its own; starts, dies and freezes on demand."""

    def __init__(self, name: str, folder: Path, user: str | None) -> None:
        self.name = name
        self.folder = folder
        self.user = user
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str | Path]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self.user,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def pids(self) -> list[int]:
        """The process and its children (Postgres has one for each connection)."""
        if self.process is None:
            return []
        parent = self.process.pid
        found = [parent]
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(status[1]) == parent:
                found.append(int(entry.name))
        return found

    def signal(self, number: int) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash does it."""
        process, pids = self.process, self.pids()
        self.process = None
        if process is None:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.thaw()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresServer(Process):
    def __init__(self, binaries: Path, folder: Path, user: str | None) -> None:
        super().__init__("postgres", folder, user)
        self.port = free_port()
        self.fsync = False
        """Off: tests kill processes, not the machine."""
        self.extra: list[str] = []
        """More settings, as ``name=value``; they count from the next start on."""
        self.binaries = binaries
        self._make_data()

    def _make_data(self) -> None:
        options = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        self._run("initdb", *options)

    def _run(self, program: str, *options: str) -> None:
        """Run a program that makes the folder of data."""
        subprocess.run(
            [str(self.binaries / program), "-D", str(self.folder / "data"), *options],
            check=True,
            capture_output=True,
            user=self.user,
            cwd=self.folder,
        )

    def command(self) -> Sequence[str | Path]:
        fsync = f"fsync={'on' if self.fsync else 'off'}"
        settings = ("listen_addresses=127.0.0.1", "max_connections=60", fsync, *self.extra)
        options = [part for setting in settings for part in ("-c", setting)]
        data = self.folder / "data"
        where = ["-D", str(data), "-p", str(self.port), "-k", str(self.folder)]
        return [self.binaries / "postgres", *where, *options]

    def is_ready(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        return True

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def execute(self, sql: str, url: str | None = None) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(url or self.url(), timeout=5)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(sql)
                return rows
            finally:
                await connection.close()

        return run_asyncio(run())


class StandbyServer(PostgresServer):
    """A copy of another server that follows it, until it is promoted."""

    def __init__(self, primary: PostgresServer, folder: Path, user: str | None) -> None:
        self._primary = primary
        super().__init__(primary.binaries, folder, user)

    def _make_data(self) -> None:
        where = ["-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "postgres"]
        self._run("pg_basebackup", *where, "--no-sync", "--checkpoint=fast", "-R", "-X", "stream")


class PgBouncer(Process):
    """PgBouncer before a PostgreSQL server, with its default settings but for the pool mode.

    Args:
        postgres: the server that it leads to.
        pool_mode: ``session`` or ``transaction``.
        folder: of its configuration and log.
        user: who runs it; None is the user of this process.
    """

    def __init__(
        self, binary: Path, postgres: PostgresServer, pool_mode: str, folder: Path, user: str | None
    ) -> None:
        super().__init__("pgbouncer", folder, user)
        self.port = free_port()
        self._binary = binary
        self._postgres = postgres
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={postgres.port} user=postgres\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"auth_type = any\npool_mode = {pool_mode}\nunix_socket_dir =\n"
        )

    def command(self) -> Sequence[str | Path]:
        return [self._binary, self.folder / "pgbouncer.ini"]

    def is_ready(self) -> bool:
        try:
            self._postgres.execute("SELECT 1", self.url("postgres"))
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


class RedisServer(Process):
    def __init__(self, binary: Path, folder: Path) -> None:
        super().__init__("redis-server", folder, None)
        self.port = free_port()
        self.extra: list[str] = []
        self._binary = binary

    def command(self) -> Sequence[str | Path]:
        where = ["--port", str(self.port), "--bind", "127.0.0.1"]
        return [self._binary, *where, "--save", "", "--appendonly", "no", *self.extra]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as sock:
                sock.sendall(b"PING\r\n")
                return sock.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command_line(self, *words: str) -> bytes:
        """One command, and the raw reply (of one packet)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(
                b"*%d\r\n" % len(words)
                + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
            )
            return sock.recv(65536)


def run_asyncio(coroutine: Coroutine[object, object, T]) -> T:
    """In a thread of its own: the caller may be inside Trio."""

    def run() -> T:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(coroutine)

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(run).result()


def free_port() -> int:
    """A port that nobody uses, on any address: some programs listen on all."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("", port))
            return port


def start_postgres(*, fsync: bool = False) -> PostgresServer:
    """A server of the caller's own: ``remove()`` it afterwards."""
    binaries = _postgres_binaries()
    if binaries is None:
        _missing("PostgreSQL", "postgresql")
    folder, user = _folder_of_no_root("presence-postgres-")
    server = PostgresServer(binaries, folder, user)
    server.fsync = fsync
    atexit.register(server.remove)
    server.start()
    return server


def start_standby(primary: PostgresServer) -> StandbyServer:
    """A standby of the caller's own: ``remove()`` it afterwards."""
    server = StandbyServer(primary, *_folder_of_no_root("presence-standby-"))
    atexit.register(server.remove)
    server.start()
    return server


def start_pgbouncer(postgres: PostgresServer, pool_mode: str) -> PgBouncer:
    """A PgBouncer of the caller's own: ``remove()`` it afterwards."""
    binary = programs.pgbouncer()
    if binary is None:
        _missing("PgBouncer", "pgbouncer")
    folder, user = _folder_of_no_root("presence-pgbouncer-")
    server = PgBouncer(binary, postgres, pool_mode, folder, user)
    atexit.register(server.remove)
    server.start()
    return server


def _folder_of_no_root(prefix: str) -> tuple[Path, str | None]:
    """A temporary folder, and the user it belongs to: PostgreSQL refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    user = None
    if os.geteuid() == 0:
        user = next((name for name in ("postgres", "nobody") if _has_user(name)), None)
        if user is not None:
            shutil.chown(folder, user)
    return folder, user


def start_redis(*extra: str) -> RedisServer:
    """A server of the caller's own, with more options; ``remove()`` it afterwards."""
    binary = shutil.which("redis-server")
    if binary is None:
        _missing("Redis", "redis-server")
    server = RedisServer(Path(binary), Path(tempfile.mkdtemp(prefix="presence-redis-")))
    server.extra = list(extra)
    atexit.register(server.remove)
    server.start()
    return server


@functools.cache
def shared_postgres() -> PostgresServer:
    """One for all tests that do no more to it than make databases."""
    return start_postgres()


@functools.cache
def shared_redis() -> RedisServer:
    return start_redis()


BREAKS_CONNECTIONS = [
    pytest.mark.usefixtures("collected"),
    # What a store that froze or a loop that died left under way cannot be closed by
    # anybody: the collector does it, and says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
"""Marks of a module whose tests break connections on purpose; it imports ``collected`` too."""


@pytest.fixture
def collected() -> Iterator[None]:
    """Collects at the end of a test what its broken connections left, and not in another's."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    return shared_postgres()


@pytest.fixture(scope="session")
def redis_server() -> RedisServer:
    return shared_redis()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty database of the test's own."""
    return postgres_server.new_database()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/presence.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    redis_server.command_line("FLUSHALL")
    return redis_server.url


def _postgres_binaries() -> Path | None:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found is not None:
        candidates.append(Path(found).resolve().parent)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _missing(what: str, package: str) -> NoReturn:
    message = f"{what} is not on this machine: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
