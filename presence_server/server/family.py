"""The children of a supervisor: what they inherit, and how they are started."""

from __future__ import annotations

import gc
import socket
from functools import partial

import structlog

from ..cluster.local import LocalDirectory, RuntimeFolder
from ..cluster.notes import SharedNotes
from ..presence.sharing import StoreTitle
from ..settings import Settings
from ..storage.url import Dialect, parse_url
from ..transport.gate.descriptors import make_room_for
from .child import Child, start_child
from .keeper import NAME, KeeperJob, run_keeper
from .listening import ListeningAddress, Port, address_of, tls_context
from .place import Place
from .shared_port import open_shared_port
from .worker import WorkerJob, run_worker

log = structlog.get_logger(__name__)


class Family:
    """Opens all that the children of one supervisor share, and starts them.

    Args:
        settings: all of them.
        processes: how many workers.

    Attributes:
        title: to the store.
        address: where the server listens.
        keeper_stays: whether the keeper lives as long as the workers.

    Raises:
        PresenceError: the server cannot start; its text is one line for the operator.
    """

    def __init__(self, settings: Settings, processes: int) -> None:
        self.processes = processes
        self._settings = settings
        self._tls = tls_context(settings)
        self._url = parse_url(settings.database.url)
        self.keeper_stays = self._url.dialect is Dialect.POSTGRES
        self._listeners = open_shared_port(settings, processes)
        self.address: ListeningAddress = address_of(self._listeners[0][0], self._tls)
        try:
            self.title = StoreTitle(self._url)
            self._folder = RuntimeFolder.make()
        except BaseException:
            self._close_port()
            raise
        self._links = [self._folder.listen(slot) for slot in range(processes)]
        self._notes = SharedNotes(processes)
        self._living: list[Child] = []
        room = make_room_for(settings.limits.max_connections)
        if room < settings.limits.max_connections:
            log.info(
                "few descriptors", room_for=room, max_connections=settings.limits.max_connections
            )
        # The children share the memory of what is loaded by now: nobody may move it.
        gc.collect()
        gc.freeze()

    def start_keeper(self, now: float, *, answers: bool, waits: bool) -> Child:
        """Start the keeper.

        Args:
            now: seconds of the supervisor's clock.
            answers: whether it answers at the port until the workers do.
            waits: whether another server has the store, so that it only answers.
        """
        everything = [sock for sockets in self._listeners for sock in sockets]
        port = Port(everything, self._tls) if answers else None
        job = KeeperJob(self._settings, self.title, port, waits)
        others = [*self._links, *([] if answers else everything)]
        return self._start(NAME, now, partial(_run, others, partial(run_keeper, job)))

    def start_worker(self, slot: int, now: float, restarts: int) -> Child:
        """Start a worker.

        Args:
            slot: of its boards.
            now: seconds of the supervisor's clock.
            restarts: how often the slot's worker died so far.
        """
        directory = LocalDirectory(slot, self.processes)
        place = Place(directory, self._folder, self._links[slot], self._notes, restarts)
        job = WorkerJob(self._settings, self.title, Port(self._listeners[slot], self._tls), place)
        others = [link for other, link in enumerate(self._links) if other != slot]
        for other, sockets in enumerate(self._listeners):
            others += sockets if other != slot else []
        return self._start(str(slot), now, partial(_run, others, partial(run_worker, job)))

    def _start(self, name: str, now: float, run: partial[int]) -> Child:
        siblings = [child.end for child in self._living if child.end.fileno() >= 0]
        child = start_child(name, now, partial(run, siblings))
        self._living = [child, *(other for other in self._living if other.end.fileno() >= 0)]
        return child

    def renew_title(self) -> None:
        """Take part in the claims to the store under a new name, after it was lost."""
        self.title.close()
        self.title = StoreTitle(self._url)

    def close(self) -> None:
        """Close all of it, once the last child has ended."""
        self._close_port()
        for link in self._links:
            link.close()
        self._folder.remove()
        self.title.close()

    def _close_port(self) -> None:
        for sock in (sock for sockets in self._listeners for sock in sockets):
            sock.close()


def _run(
    others: list[socket.socket],
    run: partial[int],
    siblings: list[socket.socket],
    end: socket.socket,
) -> int:
    """Close what belongs to other children, and be one."""
    for sock in (*others, *siblings):
        sock.close()
    return run(end)
