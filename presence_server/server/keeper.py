"""The keeper: the child that takes the store into possession for its server.

It migrates the store, and answers at the port until the workers do. With SQLite its work is done
then: the supervisor holds the lock, and while another server has it, the keeper only answers. With
PostgreSQL the keeper owns the store, extends the lease until the last worker has ended, and is
replaced under the same name if it dies.
"""

from __future__ import annotations

import socket
from functools import partial

import structlog
import trio
from msgspec import Struct

from ..presence.ownership import LeaseOwnership
from ..presence.sharing import Role, StoreShare, StoreTitle
from ..presence.stack import PresenceStack
from ..settings import Settings
from .child_life import run_child, under_orders
from .control import Channel, Lost, Order, Owns, Prepared, Waiting
from .lifetimes import open_stack
from .listening import Port, address_of
from .standby import Standby

log = structlog.get_logger(__name__)

NAME = "keeper"


class KeeperJob(Struct, frozen=True):
    """The facts that a keeper inherits from the supervisor.

    Attributes:
        settings: all of them.
        title: the server's title to the store.
        port: where clients wait, with the sockets of all workers; None if workers serve already.
        waits: whether another server has the lock, so that this process may only answer.
    """

    settings: Settings
    title: StoreTitle
    port: Port | None
    waits: bool


def run_keeper(job: KeeperJob, end: socket.socket) -> int:
    """Be the keeper; returns the exit code.

    Args:
        job: inherited from the supervisor.
        end: the child's end of its channel.
    """
    channel = Channel(end)
    return run_child(job.settings, NAME, channel, partial(_keep, job, channel))


async def _keep(job: KeeperJob, channel: Channel) -> None:
    stack = open_stack(job.settings, StoreShare(job.title, Role.KEEPER))
    ended = trio.Event()

    def on_order(_order: Order) -> None:
        ended.set()

    if job.waits and job.port is not None:
        standby = Standby(job.port, job.settings.limits.handshake_timeout_s)
        _note_waiting(job, standby, channel)
        await under_orders(job.settings, channel, on_order, standby.run)
        return
    await under_orders(job.settings, channel, on_order, partial(_until, ended, job, stack, channel))


async def _until(ended: trio.Event, job: KeeperJob, stack: PresenceStack, channel: Channel) -> None:
    """Keep the store until another server owns it, or an order comes."""
    ownership = stack.ownership
    is_lease = isinstance(ownership, LeaseOwnership)
    if isinstance(ownership, LeaseOwnership):
        ownership.on_claimed = lambda epoch: channel.report(Owns(epoch))
    async with trio.open_nursery() as nursery:

        async def until_lost() -> None:
            await ownership.lost.wait()
            channel.report(Lost())
            nursery.cancel_scope.cancel()

        async def until_ordered() -> None:
            await ended.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(until_lost)
        nursery.start_soon(until_ordered)
        async with trio.open_nursery() as preparing:
            standby = None
            if job.port is not None:
                standby = Standby(job.port, job.settings.limits.handshake_timeout_s)
                preparing.start_soon(standby.run)
            waits = partial(_note_waiting, job, standby, channel)
            await nursery.start(partial(stack.keep, on_waiting=waits))
            preparing.cancel_scope.cancel()
        channel.report(Prepared())
        if not is_lease:
            nursery.cancel_scope.cancel()


def _note_waiting(job: KeeperJob, standby: Standby | None, channel: Channel) -> None:
    if standby is not None:
        standby.status = "waiting"
    if job.port is not None:
        url = address_of(job.port.listeners[0], job.port.tls).url
        log.info("waiting for the owner of the database", url=url)
    channel.report(Waiting())
