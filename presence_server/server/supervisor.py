"""One server of several processes: starts them, replaces the dead ones, and ends them in order.

The supervisor opens the port and forks the keeper and the workers. It has no event loop and no
threads, so a fork copies nothing that is under way. It holds all that has to outlive a child: the
listening sockets, the sockets of the slots, and the title to the store.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from time import monotonic

import structlog

from ..protocol.errors import PresenceError
from ..settings import SettingsError
from ..storage.errors import StorageError
from .child import Child
from .child_life import CONFIG_IS_WRONG
from .control import AnyReport, Failed, Lost, Order, Owns, Prepared, Serving, Waiting
from .family import Family
from .notify import ServiceManager
from .phases import (
    AT_ONCE_S,
    GIVE_UP_S,
    KEEPER_S,
    LAST_S,
    LOOK_S,
    TICK_S,
    ChildFailed,
    Phase,
)
from .restarts import RestartPolicy
from .signals import received, signals_at_a_socket

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs one server of several processes.

    Args:
        family: starts its children.
        drain_timeout_s: ``server.drain_timeout_s``.
        stall_timeout_s: ``server.stall_timeout_s``.
        manager: the service manager.
    """

    def __init__(
        self,
        family: Family,
        drain_timeout_s: float,
        stall_timeout_s: float,
        manager: ServiceManager,
    ) -> None:
        self._family = family
        self._drain_timeout_s = drain_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._manager = manager
        self._phase = Phase.PREPARING
        self._children: dict[int | None, Child] = {}
        """By slot; the keeper under None."""
        self._policies: dict[int | None, RestartPolicy] = {
            slot: RestartPolicy() for slot in (None, *range(family.processes))
        }
        self._due: dict[int | None, float] = {}
        """When children that died are started again."""
        self._deadline = float("inf")
        self._failure: PresenceError | None = None
        self._has_served = False
        self._is_ready = False
        self._next_life = 0.0
        self._waits = False
        """Whether another server has the lock of a SQLite store."""
        self._next_look = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain; a second signal ends everything at once.

        Raises:
            PresenceError: the server cannot start, or a worker found that a setting cannot work.
        """
        with signals_at_a_socket() as wakeup:
            try:
                self._start(None)
                while self._children or self._due:
                    self._turn(wakeup)
            finally:
                self._end_all()
        if self._failure is not None:
            raise self._failure

    def _turn(self, wakeup: socket.socket) -> None:
        """Wait for the next event, a quarter of a second at most, and do what is due."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        for child in self._children.values():
            poll.register(child.end, select.POLLIN)
        poll.poll(1000 * min(TICK_S, self._manager.life_interval_s or TICK_S))
        now = monotonic()
        for slot, child in list(self._children.items()):
            for report in child.reports(now):
                self._hear(slot, child, report, now)
        for number in received(wakeup):
            self._on_signal(number, now)
        self._reap(now)
        self._look_for_stalls(now)
        self._start_due(now)
        self._look_at_title(now)
        self._keep_time(now)

    def _hear(self, slot: int | None, child: Child, report: AnyReport, now: float) -> None:
        match report:
            case Waiting():
                self._manager.set_status("waiting for the owner")
                self._tell_ready()
            case Prepared() if self._phase is Phase.PREPARING:
                child.serving_since = now
                self._phase = Phase.SERVING
                for worker in range(self._family.processes):
                    self._start(worker)
            case Prepared():
                child.serving_since = now
            case Owns():
                self._family.title.epoch = report.epoch
            case Serving():
                child.serving_since = now
                if slot is not None and not self._is_ready_to_serve():
                    return
                self._note_serving()
            case Lost():
                self._lose(now)
            case Failed():
                child.failure = report
            case _:
                pass  # A sign of life, which the child has noted.

    def _is_ready_to_serve(self) -> bool:
        workers = [child for slot, child in self._children.items() if slot is not None]
        return len(workers) == self._family.processes and all(
            child.serving_since is not None for child in workers
        )

    def _note_serving(self) -> None:
        if self._has_served:
            return
        self._has_served = True
        url = self._family.address.url
        log.info("listening", url=url, processes=self._family.processes)
        self._manager.set_status(f"Serving {url} with {self._family.processes} processes")
        self._tell_ready()

    def _tell_ready(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._manager.report_ready()

    def _on_signal(self, number: int, now: float) -> None:
        if number == signal.SIGHUP:
            log.info("SIGHUP is ignored: restart the server to change its settings")
        elif number in (signal.SIGTERM, signal.SIGINT):
            log.info("signal", name=signal.Signals(number).name)
            if self._phase is Phase.STOPPING:
                self._order_all(Order.END)
                self._deadline = min(self._deadline, now + AT_ONCE_S)
            else:
                self._stop(now)

    def _stop(self, now: float) -> None:
        """Begin the end: drain the workers, and after them release the store."""
        self._manager.report_stopping()
        self._phase = Phase.STOPPING
        self._due.clear()
        self._deadline = now + self._drain_timeout_s + LAST_S
        for slot, child in self._children.items():
            if slot is not None:
                child.order(Order.DRAIN)
        self._end_keeper_if_alone(now)

    def _end_keeper_if_alone(self, now: float) -> None:
        if set(self._children) == {None}:
            self._children[None].order(Order.DRAIN)
            self._deadline = max(self._deadline, now + KEEPER_S)

    def _lose(self, now: float) -> None:
        """Another server owns the store: end all workers, and wait for the store again."""
        if self._phase in (Phase.LOSING, Phase.STOPPING):
            return
        log.error("another server owns the database")
        self._phase = Phase.LOSING
        self._due.clear()
        self._deadline = now + GIVE_UP_S
        self._order_all(Order.GIVE_UP)

    def _order_all(self, order: Order) -> None:
        for child in self._children.values():
            child.order(order)

    def _reap(self, now: float) -> None:
        """Take note of each child that ended."""
        for slot, child in list(self._children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            # Its last report may tell the reason.
            for report in child.reports(now):
                self._hear(slot, child, report, now)
            del self._children[slot]
            child.end.close()
            self._after_death(slot, child, os.waitstatus_to_exitcode(status), now)

    def _after_death(self, slot: int | None, child: Child, code: int, now: float) -> None:
        if self._phase is Phase.STOPPING:
            self._end_keeper_if_alone(now)
            return
        if self._phase is Phase.LOSING:
            if not self._children:
                self._family.renew_title()
                self._phase, self._deadline, self._has_served = Phase.PREPARING, float("inf"), False
                self._due[None] = now
            return
        if slot is None and code == 0 and self._phase is Phase.PREPARING:
            self._due[None] = now  # The lock of the store is free now.
            return
        if slot is None and code == 0 and not self._family.keeper_stays:
            return  # Its work is done.
        if code == CONFIG_IS_WRONG or (slot is None and not self._has_served and child.failure):
            self._fail(child, now)
            return
        wait_s = self._policies[slot].died(child.served_s(now))
        self._due[slot] = now + wait_s
        log.error(
            "a process died and is replaced",
            child=child.name,
            exit_code=code,
            problems=child.failure and "; ".join(child.failure.problems),
            wait_s=wait_s,
        )

    def _fail(self, child: Child, now: float) -> None:
        """End everything for the reason that a child gave."""
        found = child.failure or Failed((f"the process {child.name} ended with code 2",), False)
        if found.may_pass:
            self._failure = ChildFailed("; ".join(found.problems))
        else:
            self._failure = SettingsError(list(found.problems))
        self._stop(now)
        self._order_all(Order.END)
        self._deadline = now + AT_ONCE_S

    def _look_for_stalls(self, now: float) -> None:
        for child in self._children.values():
            silent_s = child.silent_s(now, 2 * TICK_S)
            if silent_s > self._stall_timeout_s:
                log.error("a process shows no life and is killed", child=child.name)
                child.kill()

    def _start_due(self, now: float) -> None:
        for slot, at in list(self._due.items()):
            if now >= at:
                del self._due[slot]
                self._start(slot)

    def _start(self, slot: int | None) -> None:
        now = monotonic()
        if slot is None:
            is_first = self._phase is Phase.PREPARING
            self._waits = is_first and not self._family.title.acquire()
            child = self._family.start_keeper(now, answers=is_first, waits=self._waits)
        else:
            child = self._family.start_worker(slot, now, self._policies[slot].restarts)
        self._children[slot] = child

    def _look_at_title(self, now: float) -> None:
        """Take the lock of the store when it is free, and notice when it is lost."""
        title = self._family.title
        if now < self._next_look or self._phase in (Phase.LOSING, Phase.STOPPING):
            return
        self._next_look = now + LOOK_S
        try:
            if self._waits and None in self._children and title.acquire():
                self._waits = False
                self._children[None].order(Order.END)
            elif self._phase is Phase.SERVING and not title.is_held():
                log.error("the lock file of the database was deleted or replaced")
                if not title.acquire():
                    self._lose(now)
        except StorageError as error:
            log.warning("the lock file cannot be made", error=str(error))

    def _keep_time(self, now: float) -> None:
        interval_s = self._manager.life_interval_s
        if self._is_ready and interval_s is not None and now >= self._next_life:
            self._next_life = now + interval_s
            self._manager.show_life()
        if now >= self._deadline:
            for child in self._children.values():
                log.warning("a process did not end in time and is killed", child=child.name)
                child.kill()
            self._deadline = now + TICK_S

    def _end_all(self) -> None:
        """Kill what is left, after an error here. No child outlives the supervisor."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            os.waitpid(child.pid, 0)
            child.end.close()
        self._children.clear()
