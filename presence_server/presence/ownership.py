"""One server owns a store. Others wait until it is gone.

With SQLite the owner holds a lock of the kernel (``flock``) on the file beside the database, for
the life of its process. The database file itself is not locked, since it may be replaced. With
PostgreSQL the owner is a row with an epoch and a lease (:mod:`..storage.ownership`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import NoReturn, Protocol

import structlog
import trio
from msgspec.structs import replace
from typing_extensions import override

from ..storage.diagnose import diagnose
from ..storage.errors import StorageError
from ..storage.lock_file import LockFile
from ..storage.ownership import LEASE_S, Claimant
from ..storage.repository import Repository
from ..storage.url import StoreUrl
from .bounded_calls import BoundedCalls
from .liveness import SignOfLife

RENEW_S = 2.0
"""How often the owner extends its lease, in seconds."""

LOOK_S = 1.0
"""How often the owner looks whether its lock file is still there, in seconds."""

_CALL_S = 6.0

log = structlog.get_logger(__name__)


class Ownership(Protocol):
    """Whether this server owns its store.

    Attributes:
        lost: set once another server owns the store that this one owned, or served without.
    """

    lost: trio.Event

    async def claim(self) -> bool:
        """Own the store, or go on owning it; False if another server owns it.

        Raises:
            StorageError: the store cannot be asked.
        """
        ...

    async def keep(self) -> NoReturn:
        """Stay the owner until cancelled. Sets ``lost`` if another server owns the store."""
        ...

    async def release(self) -> None:
        """Let another server own the store at once."""
        ...


class FileOwnership(Ownership):
    """Owns a SQLite store: holds a lock on ``<database>.lock``.

    Args:
        url: the store.
    """

    def __init__(self, url: StoreUrl) -> None:
        self.lost = trio.Event()
        self._url = url
        path = url.lock_path
        assert path is not None
        self._file = LockFile(path)

    @override
    async def claim(self) -> bool:
        try:
            self._file.path.parent.mkdir(parents=True, exist_ok=True)
            return self._file.acquire()
        except OSError as error:
            raise diagnose(error, self._url) from error

    @override
    async def keep(self) -> NoReturn:
        while True:
            await trio.sleep(LOOK_S)
            if self._file.is_held():
                continue
            log.error("the lock file of the database was deleted or replaced")
            try:
                if not await self.claim():
                    self.lost.set()
                    await trio.sleep_forever()
            except StorageError as error:
                log.warning("the lock file cannot be made", error=str(error))

    @override
    async def release(self) -> None:
        self._file.release()


class LeaseOwnership(Ownership):
    """Owns a PostgreSQL store: holds its row, and extends the lease.

    Until the first claim nothing can be written.

    Args:
        repository: the store.
        calls: how it is called.
        life: shows that the owner is alive; None makes a new owner of this process.
        epoch: of an earlier claim in the same name; 0 if there was none.

    Attributes:
        on_claimed: called with the epoch of each claim.
    """

    def __init__(
        self,
        repository: Repository,
        calls: BoundedCalls,
        life: SignOfLife | None = None,
        epoch: int = 0,
    ) -> None:
        self.lost = trio.Event()
        self.on_claimed: Callable[[int], None] = lambda _epoch: None
        self._repository = repository
        self._calls = calls
        self._life = SignOfLife(str(uuid.uuid4())) if life is None else life
        self._me = Claimant(self._life.owner_id, self._life.host, epoch)
        self._may_bury_at = -float("inf")
        repository.write_as(self._me)

    @override
    async def claim(self) -> bool:
        try:
            epoch = await self._calls.call(
                _CALL_S,
                self._repository.claim,
                self._me,
                trio.current_time() >= self._may_bury_at,
                self._life.is_dead,
            )
        except StorageError:
            # The owner may have had the same trouble: it gets the time to extend its lease.
            self._may_bury_at = trio.current_time() + LEASE_S
            raise
        if epoch is None:
            if self._me.epoch:
                self.lost.set()
            return False
        if self._me.epoch and epoch != self._me.epoch:
            log.warning("the database is older than this server's last write", epoch=epoch)
        self._me = replace(self._me, epoch=epoch)
        self.on_claimed(epoch)
        return True

    @override
    async def keep(self) -> NoReturn:
        while True:
            await trio.sleep(RENEW_S)
            if not self._me.epoch:
                continue
            try:
                if not await self._calls.call(_CALL_S, self._repository.renew, self._me):
                    await self.claim()
            except StorageError as error:
                # The writer reports a store that does not answer.
                log.debug("the lease is not extended now", error=str(error))

    @override
    async def release(self) -> None:
        try:
            if self._me.epoch and not self.lost.is_set():
                await self._calls.call(_CALL_S, self._repository.release, self._me)
        finally:
            self._life.close()
