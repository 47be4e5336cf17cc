"""Which server owns a store in PostgreSQL: one row with an id, an epoch and a lease.

Every write transaction of the owner locks the row ``FOR SHARE`` and fails if the row has another
id or epoch (:func:`fence`). A claim updates the row, so it waits for the transactions under way,
and every later one of the old owner fails. That alone keeps two servers from writing; the lease
only decides how soon the row of a dead server may be claimed. It runs by the database's clock,
so the clocks of the servers play no part. No state of a session is used, so all of it works
through a connection pooler.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from .errors import OwnershipLost

LEASE_S = 10.0
"""Seconds after its last renewal in which the row of a server cannot be claimed."""

_NAME = "presence"

_FENCE = sa.text(
    "SELECT 1 FROM collab.store_owner"
    " WHERE name = :name AND owner_id = :owner_id AND epoch = :epoch FOR SHARE"
)
_MAKE_ROW = sa.text(
    "INSERT INTO collab.store_owner (name, epoch) VALUES (:name, 0) ON CONFLICT DO NOTHING"
)
_READ_ROW = sa.text(
    "SELECT owner_id, host, epoch, coalesce(lease_until < clock_timestamp(), true) AS has_expired"
    " FROM collab.store_owner WHERE name = :name"
)
_LOCK_ROW = sa.text(f"{_READ_ROW.text} FOR UPDATE")
_TAKE_ROW = sa.text(
    "UPDATE collab.store_owner SET owner_id = :owner_id, host = :host, epoch = :epoch,"
    " lease_until = clock_timestamp() + make_interval(secs => :lease_s) WHERE name = :name"
)
_RENEW = sa.text(
    "UPDATE collab.store_owner"
    " SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)"
    " WHERE name = :name AND owner_id = :owner_id AND epoch = :epoch"
)
_RELEASE = sa.text(
    "UPDATE collab.store_owner SET owner_id = NULL, host = NULL, lease_until = NULL"
    " WHERE name = :name AND owner_id = :owner_id AND epoch = :epoch"
)


class Claimant(Struct, frozen=True):
    """A server that wants to own the store, or owns it.

    Attributes:
        owner_id: unique to this start of the server.
        host: names the machine and its boot, so that a server on the same machine can see that
            this one is dead; None if it cannot be told.
        epoch: of its claim; 0 before the first one.
    """

    owner_id: str
    host: str | None
    epoch: int = 0


class OwnerRow(Struct, frozen=True):
    """The row as a claim finds it.

    Attributes:
        owner_id: the owner; None if the last one released the store.
        host: where the owner runs.
        epoch: grows with every change of the owner.
        has_expired: whether the owner's lease is over.
    """

    owner_id: str | None
    host: str | None
    epoch: int
    has_expired: bool


def may_claim(
    row: OwnerRow,
    claimant: Claimant,
    *,
    may_bury: bool,
    is_dead: Callable[[str, str | None], bool],
) -> bool:
    """Whether a server may take the row.

    Args:
        row: the row as it is.
        claimant: the server.
        may_bury: whether it may take the row of a server whose lease is over.
        is_dead: tells by id and host whether an owner is known to be dead.
    """
    if row.owner_id == claimant.owner_id:
        # Without an epoch of its own it has claimed the row, and has not heard of it.
        return row.epoch <= claimant.epoch or not claimant.epoch
    if claimant.epoch:
        # A newer epoch is another server's, and makes this one's memory out of date. An older one
        # comes from a backup or a replica: this server was the last owner.
        return row.epoch < claimant.epoch
    if row.owner_id is None:
        return True
    return (row.has_expired and may_bury) or is_dead(row.owner_id, row.host)


async def check_fence(connection: AsyncConnection, claimant: Claimant) -> None:
    """Lock the row for this transaction, as the first statement of every write.

    Raises:
        OwnershipLost: the row has another owner or epoch.
    """
    found = await connection.execute(
        _FENCE, {"name": _NAME, "owner_id": claimant.owner_id, "epoch": claimant.epoch}
    )
    if found.first() is None:
        raise OwnershipLost("another server owns the database now")


async def claim(
    connection: AsyncConnection,
    claimant: Claimant,
    *,
    may_bury: bool,
    is_dead: Callable[[str, str | None], bool],
) -> int | None:
    """Take the row if :func:`may_claim` allows it, or renew it if it is the claimant's already.

    Returns:
        The epoch; None if another server owns the store.
    """
    await connection.execute(_MAKE_ROW, {"name": _NAME})
    found = (await connection.execute(_LOCK_ROW, {"name": _NAME})).mappings().one()
    row = OwnerRow(**found)
    if not may_claim(row, claimant, may_bury=may_bury, is_dead=is_dead):
        return None
    is_own = row.owner_id == claimant.owner_id and row.epoch == claimant.epoch
    epoch = row.epoch if is_own else max(row.epoch, claimant.epoch) + 1
    await connection.execute(
        _TAKE_ROW,
        {
            "name": _NAME,
            "owner_id": claimant.owner_id,
            "host": claimant.host,
            "epoch": epoch,
            "lease_s": LEASE_S,
        },
    )
    return epoch


async def read_owner(connection: AsyncConnection) -> OwnerRow | None:
    """Read the row; None if there is none.

    The row is locked as a claim locks it. So this waits for every write under way: a process that
    takes the place of a dead one of the same server then sees all that the dead one has written.
    """
    found = (await connection.execute(_LOCK_ROW, {"name": _NAME})).mappings().first()
    return None if found is None else OwnerRow(**found)


async def renew(connection: AsyncConnection, claimant: Claimant) -> bool:
    """Extend the lease; False if the row has another owner or epoch."""
    result = await connection.execute(
        _RENEW,
        {
            "name": _NAME,
            "owner_id": claimant.owner_id,
            "epoch": claimant.epoch,
            "lease_s": LEASE_S,
        },
    )
    return result.rowcount > 0


async def release(connection: AsyncConnection, claimant: Claimant) -> None:
    """Let another server claim the store at once; do nothing if one has done so already."""
    await connection.execute(
        _RELEASE, {"name": _NAME, "owner_id": claimant.owner_id, "epoch": claimant.epoch}
    )


async def is_owned(connection: AsyncConnection) -> bool:
    """Whether a server owns the store and its lease is not over."""
    found = (await connection.execute(_READ_ROW, {"name": _NAME})).mappings().first()
    return found is not None and found["owner_id"] is not None and not found["has_expired"]
