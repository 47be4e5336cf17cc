"""Several processes of one server share its store, which the server as a whole owns.

The supervisor of these processes holds the :class:`StoreTitle`, and they inherit it. One child,
the keeper, takes the store into possession; with PostgreSQL it also extends the lease. The others,
the workers, write in the name of the server. With PostgreSQL each of their writes checks the
owner and the epoch, as in a server of one process.
"""

from __future__ import annotations

import enum
import os
import uuid
from typing import NoReturn

import trio
from msgspec import Struct
from typing_extensions import override

from ..storage.errors import StorageUnavailable
from ..storage.ownership import Claimant
from ..storage.repository import Repository
from ..storage.url import Dialect, StoreUrl
from .bounded_calls import BoundedCalls
from .liveness import SignOfLife
from .ownership import FileOwnership, LeaseOwnership, Ownership, open_lock_file

_CALL_S = 6.0


class StoreTitle:
    """The part of a store's ownership that lives as long as the supervisor and its children.

    With SQLite it is the file that the keeper locks: the lock belongs to the opened file, which
    all of them share. With PostgreSQL it is the server's name, and the sign that it is alive.

    Args:
        url: the store.

    Attributes:
        descriptor: the opened file; None with PostgreSQL.
        life: the sign of life; None with SQLite.
        epoch: of the keeper's last claim, with PostgreSQL; 0 before the first one.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(self, url: StoreUrl) -> None:
        is_file = url.dialect is Dialect.SQLITE
        self.descriptor = open_lock_file(url) if is_file else None
        self.life = None if is_file else SignOfLife(str(uuid.uuid4()))
        self.epoch = 0

    def close(self) -> None:
        """Give it up, once no process uses it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
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
    if share.role is Role.WORKER:
        if title.life is None:
            return HeldFile()
        return SharedLease(repository, calls, title.life, title.epoch)
    if title.life is None:
        return FileOwnership(url, title.descriptor)
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
