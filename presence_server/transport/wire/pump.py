"""All plain sockets in one task: it waits once, then works through the sockets that are ready.

A task for each socket costs two wake-ups and a re-arm of epoll a message, which is most of
the price of a message. Here a connection costs no task, and under load one wake serves many.

The sockets of sessions come before those of newcomers, whose requests are not served yet: a
connect costs as much as many messages. In a flood of connects, newcomers wait for each other,
and sessions wait for one newcomer at most. Newcomers get :data:`NEWCOMERS_S` of each wake, however
much the sessions send.
"""

from __future__ import annotations

import select
import socket
from time import perf_counter

import structlog
import trio

from ...rooms.batch import Batch
from .lane import READABLE, Lane
from .ports import Endpoint
from .socket_wire import SocketWire

log = structlog.get_logger(__name__)

MAX_EVENTS = 128
"""Sockets that one wake serves at most."""
MAX_WAKE_S = 0.005
"""How long one wake may take before other tasks run."""
NEWCOMERS_S = 0.001
"""How long a wake that has served sessions goes on with newcomers."""


def pump_is_available() -> bool:
    """Whether this platform has epoll: a selector that is itself pollable, and fair."""
    return hasattr(select, "epoll")


class Pump:
    """Reads and writes all plain sockets.

    Args:
        batch: opened around each wake, so that rooms flush once, at its end.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._sessions, self._newcomers = Lane(), Lane()
        # It is watched like a session's socket, so one wait is for both.
        self._newcomers_fd = self._newcomers.fileno()
        self._sessions.watch(self._newcomers_fd, READABLE)
        self._newcomers_wait = False
        """Whether newcomers are ready, as far as is known."""
        self._round_over: trio.Event | None = None
        """Happens when the newcomers that are ready now have been served."""
        self._wires: dict[int, SocketWire] = {}
        self._gone: list[tuple[SocketWire, socket.socket]] = []
        self._working = False
        self._served = 0
        """How many events were served so far."""

    def __len__(self) -> int:
        return len(self._wires)

    def wire(self, sock: socket.socket) -> SocketWire:
        """Make a wire, which :meth:`add` starts.

        Args:
            sock: a non-blocking socket.
        """
        return SocketWire(sock, self, self._newcomers)

    def add(self, wire: SocketWire, endpoint: Endpoint) -> None:
        """Take over the socket of a newcomer. From now on the pump reads and closes it.

        Args:
            wire: the socket.
            endpoint: reads the bytes that come.

        Raises:
            OSError: the system watches no more sockets; the caller still owns this one.
        """
        wire.lane.watch(wire.fd, READABLE)
        wire.endpoint = endpoint
        self._wires[wire.fd] = wire

    def join_sessions(self, wire: SocketWire, interest: int) -> None:
        """Serve a socket before newcomers from now on.

        Args:
            wire: the socket; nothing happens if it was discarded.
            interest: epoll's bits.

        Raises:
            OSError: the system watches no more sockets; this one stays among the newcomers.
        """
        if wire.fd >= 0 and wire.lane is self._newcomers:
            self._sessions.watch(wire.fd, interest)
            self._newcomers.forget(wire.fd)
            wire.lane = self._sessions

    def discard(self, wire: SocketWire, sock: socket.socket) -> None:
        """Stop watching a socket now, and close it at the end of the wake.

        Args:
            wire: the wire of the socket; nothing happens if it was discarded before.
            sock: the socket.
        """
        if wire.fd < 0:
            return
        self.forget(wire)
        self._gone.append((wire, sock))
        if not self._working:
            self._close_gone()

    def forget(self, wire: SocketWire) -> None:
        """Stop watching a socket, which stays open.

        Args:
            wire: the wire of the socket.
        """
        if self._wires.pop(wire.fd, None) is not None:
            wire.lane.forget(wire.fd)
        wire.fd = -1

    async def run(self) -> None:
        """Pump until cancelled; then close every socket."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._sessions.fileno())
                self._work()
        finally:
            for wire in list(self._wires.values()):
                wire.abort()
            self._sessions.close()
            self._newcomers.close()

    async def catch_up(self) -> None:
        """Return when every socket that has input now was read once.

        More input may come all the time, so this does not wait until none is left.
        """
        enough = self._served + len(self._wires)
        lanes = self._sessions, self._newcomers
        while self._served < enough and any(lane.ready or lane.poll(MAX_EVENTS) for lane in lanes):
            # Each turn of the scheduler is one wake of :meth:`run`, which serves these.
            await trio.lowlevel.checkpoint()

    async def serve_newcomers(self) -> None:
        """Return when the newcomers that are ready now have been served; at once if none are."""
        if self._newcomers_wait:
            if self._round_over is None:
                self._round_over = trio.Event()
            await self._round_over.wait()

    def _work(self) -> None:
        """Serve one wake, which is bounded in events, bytes and time: timers stay on time."""
        self._working = True
        try:
            with self._batch:
                began = perf_counter()
                served = self._served
                self._serve_sessions(began + MAX_WAKE_S)
                if self._newcomers_wait:
                    had_input = self._served > served
                    self._serve_newcomers(NEWCOMERS_S if had_input else MAX_WAKE_S)
        finally:
            self._working = False
            self._close_gone()

    def _serve_sessions(self, stop_at: float) -> None:
        ready, wires = self._sessions.ready, self._wires
        if not ready:
            self._sessions.poll(MAX_EVENTS)
        is_full = len(ready) == MAX_EVENTS
        while ready:
            fd, events = ready.popleft()
            wire = wires.get(fd)
            if wire is None:
                if fd == self._newcomers_fd:
                    self._newcomers_wait = True
                continue
            self._serve(wire, events)
            if perf_counter() >= stop_at:
                # The rest is served first next time: epoll, asked again, would name
                # the same busy sockets before it. A descriptor in the rest may belong
                # to another socket by then. That does no harm: readiness is a hint.
                break
        self._batch.input_waits = is_full or bool(ready)

    def _serve_newcomers(self, seconds: float) -> None:
        """Serve newcomers until their time is over, or a session has input and they had a share."""
        began = perf_counter()
        lane, wires = self._newcomers, self._wires
        while lane.ready or self._begin_round():
            fd, events = lane.ready.popleft()
            wire = wires.get(fd)
            if wire is None:
                continue
            self._serve(wire, events)
            passed = perf_counter() - began
            if passed >= seconds:
                return
            if passed >= NEWCOMERS_S and self._sessions_wait():
                return
        self._newcomers_wait = False

    def _serve(self, wire: SocketWire, events: int) -> None:
        self._served += 1
        try:
            wire.on_ready(events)
        except Exception as error:
            wire.endpoint.crash(error)

    def _begin_round(self) -> bool:
        """Ask which newcomers are ready now; all that were ready before have been served."""
        if self._round_over is not None:
            self._round_over.set()
            self._round_over = None
        return self._newcomers.poll(MAX_EVENTS)

    def _sessions_wait(self) -> bool:
        """Whether a session has input."""
        ready = self._sessions.ready
        if not ready:
            self._sessions.poll(MAX_EVENTS)
            if len(ready) == 1 and ready[0][0] == self._newcomers_fd:
                ready.clear()
        return bool(ready)

    def _close_gone(self) -> None:
        if not self._gone:
            return
        with self._batch:
            while self._gone:
                wire, sock = self._gone.pop()
                sock.close()
                try:
                    wire.endpoint.on_gone()
                except Exception:
                    log.exception("connection failed while closing")
                del wire.endpoint, wire.send  # They refer to the wire and to its socket.
