"""Several processes of one server share its store, which the server as a whole owns.

The supervisor of these processes holds the :class:`StoreTitle`, and they inherit it. With SQLite
the title is the lock itself. With PostgreSQL it is a name, in which one child, the keeper, owns the
row and extends its lease. The others, the workers, write in the name of the server, and each of
their writes checks the owner and the epoch, as in a server of one process.
"""

from __future__ import annotations

import enum
import uuid
from typing import NoReturn

import trio
from msgspec import Struct
from typing_extensions import override

from ..storage.diagnose import diagnose
from ..storage.errors import StorageUnavailable
from ..storage.lock_file import LockFile
from ..storage.ownership import Claimant
from ..storage.repository import Repository
from ..storage.url import Dialect, StoreUrl
from .bounded_calls import BoundedCalls
from .liveness import SignOfLife
from .ownership import FileOwnership, LeaseOwnership, Ownership

_CALL_S = 6.0


class StoreTitle:
    """The part of a store's ownership that lives as long as the supervisor and its children.

    With SQLite it is the lock on the file beside the database. With PostgreSQL it is the server's
    name, and the sign that it is alive.

    Args:
        url: the store.

    Attributes:
        life: the sign of life; None with SQLite.
        epoch: of the keeper's last claim, with PostgreSQL; 0 before the first one.
    """

    def __init__(self, url: StoreUrl) -> None:
        self._url = url
        self._lock = None if url.lock_path is None else LockFile(url.lock_path)
        self.life = None if self._lock is not None else SignOfLife(str(uuid.uuid4()))
        self.epoch = 0

    def acquire(self) -> bool:
        """Lock the file; False if another server has locked it. True with PostgreSQL.

        Raises:
            StorageError: the file cannot be opened.
        """
        if self._lock is None:
            return True
        try:
            self._lock.path.parent.mkdir(parents=True, exist_ok=True)
            return self._lock.acquire()
        except OSError as error:
            raise diagnose(error, self._url) from error

    def is_held(self) -> bool:
        """Whether the file is locked and still there. True with PostgreSQL."""
        return self._lock is None or self._lock.is_held()

    def close(self) -> None:
        """Give it up, once no process uses it."""
        if self._lock is not None:
            self._lock.release()
        if self.life is not None:
            self.life.close()


class Role(enum.Enum):
    """The part of a process."""

    KEEPER = "keeper"
    WORKER = "worker"


class StoreShare(Struct, frozen=True):
    """How a process takes part in a shared store.

    Attributes:
        title: inherited from the supervisor.
        role: the process's part.
        deletes_old: whether it deletes old sessions.
    """

    title: StoreTitle
    role: Role
    deletes_old: bool = False


def ownership_of(
    repository: Repository, calls: BoundedCalls, share: StoreShare | None
) -> Ownership:
    """Make the ownership of a store.

    Args:
        repository: the store.
        calls: how it is called.
        share: this process's part; None: it is the only process of its server.
    """
    url = repository.url
    if share is None:
        if url.dialect is Dialect.SQLITE:
            return FileOwnership(url)
        return LeaseOwnership(repository, calls)
    title = share.title
    if title.life is None:
        return HeldFile()
    if share.role is Role.WORKER:
        return SharedLease(repository, calls, title.life, title.epoch)
    return LeaseOwnership(repository, calls, title.life, title.epoch)


class HeldFile(Ownership):
    """A SQLite store that the supervisor owns for all its processes."""

    def __init__(self) -> None:
        self.lost = trio.Event()

    @override
    async def claim(self) -> bool:
        return True

    @override
    async def keep(self) -> NoReturn:
        await trio.sleep_forever()

    @override
    async def release(self) -> None:
        pass  # The supervisor holds it for the other processes.


class SharedLease(Ownership):
    """A PostgreSQL store that the keeper owns in the name of the server.

    Until the first :meth:`claim` that finds the server in the row nothing can be written.

    Args:
        repository: the store.
        calls: how it is called.
        life: names the server.
        epoch: of the keeper's last claim, as far as it is known; 0 if it is not.
    """

    def __init__(
        self, repository: Repository, calls: BoundedCalls, life: SignOfLife, epoch: int
    ) -> None:
        self.lost = trio.Event()
        self._repository = repository
        self._calls = calls
        self._me = Claimant(life.owner_id, life.host, epoch)
        repository.write_as(self._me)

    @override
    async def claim(self) -> bool:
        """Read the epoch under which the keeper owns the store.

        Returns:
            Whether this server owns it.

        Raises:
            StorageUnavailable: the keeper has not claimed it yet, or has to claim it again.
        """
        row = await self._calls.call(_CALL_S, self._repository.owner)
        if row is not None and row.owner_id == self._me.owner_id:
            self._me = Claimant(self._me.owner_id, self._me.host, row.epoch)
            self._repository.write_as(self._me)
            return True
        if row is not None and row.owner_id is not None and 0 < self._me.epoch < row.epoch:
            self.lost.set()
            return False
        raise StorageUnavailable("database.url: this server does not own the database yet")

    @override
    async def keep(self) -> NoReturn:
        await trio.sleep_forever()

    @override
    async def release(self) -> None:
        pass  # The keeper releases it, when no process writes any more.
