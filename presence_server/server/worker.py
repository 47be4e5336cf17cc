"""A worker: the child that serves the boards of one slot."""

from __future__ import annotations

import socket
from functools import partial

import trio
from msgspec import Struct
from typing_extensions import override

from ..presence.sharing import Role, StoreShare, StoreTitle
from ..presence.stack import PresenceStack
from ..settings import Settings
from .child_life import run_child, under_orders
from .control import Channel, Lost, Order, Serving
from .lifetimes import open_stack
from .listening import Port
from .place import Place
from .process import AT_ONCE_S, LAST_RESORT_S, exit_after
from .serving import ServingStatus, serve_store


class WorkerJob(Struct, frozen=True):
    """The facts that a worker inherits from the supervisor.

    Attributes:
        settings: all of them.
        title: the server's title to the store.
        port: where clients connect, with this worker's own listening sockets.
        place: among the other workers.
    """

    settings: Settings
    title: StoreTitle
    port: Port
    place: Place


def run_worker(job: WorkerJob, end: socket.socket) -> int:
    """Be a worker; returns the exit code.

    Args:
        job: inherited from the supervisor.
        end: the child's end of its channel.
    """
    channel = Channel(end)
    slot = job.place.directory.slot
    return run_child(job.settings, str(slot), channel, partial(_work, job, channel))


async def _work(job: WorkerJob, channel: Channel) -> None:
    slot = job.place.directory.slot
    job.place.folder.own(slot)
    share = StoreShare(job.title, Role.WORKER, deletes_old=slot == 0)
    stack = open_stack(job.settings, share)
    stop = trio.Event()

    def on_order(order: Order) -> None:
        if order is Order.GIVE_UP:
            stack.ownership.lost.set()
        elif order is Order.DRAIN:
            stop.set()
            exit_after(job.settings.server.drain_timeout_s + LAST_RESORT_S)
        else:
            exit_after(AT_ONCE_S)

    await under_orders(job.settings, channel, on_order, partial(_serve, job, stack, stop, channel))


async def _serve(job: WorkerJob, stack: PresenceStack, stop: trio.Event, channel: Channel) -> None:
    status = _Status(channel)
    await serve_store(job.settings, stack, job.port, stop, status, place=job.place)
    if stack.ownership.lost.is_set():
        channel.report(Lost())


class _Status(ServingStatus):
    """Tells the supervisor what this worker does."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @override
    def waits(self) -> None:
        pass  # The keeper finds out by itself that another server owns the store.

    @override
    def serves(self) -> None:
        self._channel.report(Serving())
