"""All plain sockets in one task: wait once, then work through whatever is ready.

A task per socket costs two wake-ups and a re-arm per message, most of the price of
a message. Here a connection costs no task, and under load one wake serves many.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from time import perf_counter

import structlog
import trio

from ...rooms.batch import Batch
from .ports import Endpoint

log = structlog.get_logger(__name__)

MAX_EVENTS = 128
READ_SIZE = 16384
MAX_LAST_READS = 4
MAX_WAKE_S = 0.005
_IN, _OUT = getattr(select, "EPOLLIN", 1), getattr(select, "EPOLLOUT", 4)


def pump_is_available() -> bool:
    """Whether this platform has epoll: a selector that is itself pollable, and fair."""
    return hasattr(select, "epoll")


class SocketWire:
    """One socket in the pump."""

    __slots__ = ("_interest", "_pump", "_sock", "endpoint", "fd", "send")

    def __init__(self, sock: socket.socket, pump: Pump) -> None:
        self._sock = sock
        self._pump = pump
        self._interest = _IN
        self.fd = sock.fileno()
        self.send = sock.send
        self.endpoint: Endpoint
        """Who reads it; may be replaced."""

    def want_write(self) -> None:
        """See :class:`.ports.Wire`."""
        if not self._interest & _OUT:
            self._set_interest(self._interest | _OUT)

    def want_read(self, wanted: bool) -> None:
        """See :class:`.ports.Wire`."""
        # An interest in nothing would still tell of errors, and only of them.
        interest = self._interest & ~_IN
        self._set_interest(interest | _IN if wanted else interest)

    def shut_write(self) -> None:
        """See :class:`.ports.Wire`."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    def abort(self) -> None:
        """See :class:`.ports.Wire`."""
        self._pump.discard(self, self._sock)

    def release(self) -> socket.socket:
        """Take the socket out of the pump, open; the endpoint hears nothing of it any more."""
        self._pump.forget(self)
        return self._sock

    def on_ready(self, events: int) -> None:
        """Read one helping, write what waits."""
        if events != _OUT:
            self._read()
        if self.endpoint.is_broken:
            self._read_last_words()
        elif events & _OUT and self.fd >= 0:
            self._set_interest(self._interest & ~_OUT)
            self.endpoint.on_writable()

    def _read_last_words(self) -> None:
        """Read what is left of a peer that is gone, not all of it in one wake.

        A close frame in there makes the difference between a leave and five minutes of grace.
        """
        for _ in range(MAX_LAST_READS):
            if self.fd < 0 or not self._read():
                break
        else:
            self._set_interest(_IN)
            return
        if self.fd >= 0:
            self.endpoint.receive_eof()

    def _read(self) -> bool:
        """Read once; False when there is nothing left to read."""
        try:
            data = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self.endpoint.receive(data)
            return True
        self.endpoint.receive_eof()
        return False

    def _set_interest(self, interest: int) -> None:
        if self.fd >= 0:
            self._interest = interest
            self._pump.modify(self.fd, interest)


class Pump:
    """Moves bytes for all plain sockets.

    Args:
        batch: opened around every wake, so that rooms flush once at its end.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._epoll = select.epoll()
        self._wires: dict[int, SocketWire] = {}
        self._ready: deque[tuple[int, int]] = deque()
        """What the last wake had no time for: descriptors and what they are ready for."""
        self._gone: list[tuple[SocketWire, socket.socket]] = []
        self._working = False
        self._served = 0
        """Events so far."""

    def __len__(self) -> int:
        return len(self._wires)

    def wire(self, sock: socket.socket) -> SocketWire:
        """A wire for a non-blocking socket; :meth:`add` starts it."""
        return SocketWire(sock, self)

    def add(self, wire: SocketWire, endpoint: Endpoint) -> None:
        """Take over a socket: the pump reads and closes it from here on.

        Raises:
            OSError: the system watches no more sockets; this one stays the caller's.
        """
        self._epoll.register(wire.fd, _IN)
        wire.endpoint = endpoint
        self._wires[wire.fd] = wire

    def modify(self, fd: int, interest: int) -> None:
        """Change what a socket is watched for."""
        self._epoll.modify(fd, interest)

    def discard(self, wire: SocketWire, sock: socket.socket) -> None:
        """Stop watching at once; close when no event of this wake can be about it."""
        if wire.fd < 0:
            return
        self.forget(wire)
        self._gone.append((wire, sock))
        if not self._working:
            self._close_gone()

    def forget(self, wire: SocketWire) -> None:
        """Stop watching a socket, which stays open."""
        if self._wires.pop(wire.fd, None) is not None:
            self._epoll.unregister(wire.fd)
        wire.fd = -1

    async def run(self) -> None:
        """Pump until cancelled; then close every socket."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._work()
        finally:
            for wire in list(self._wires.values()):
                wire.abort()
            self._epoll.close()

    async def catch_up(self) -> None:
        """Return when what has come by now was read: a helping of each socket that had any.

        More may come all the time, so it is not waited for that nothing is left.
        """
        enough = self._served + len(self._wires)
        while self._served < enough and (self._ready or self._poll()):
            # Each turn of the scheduler is one wake of :meth:`run`, which serves these.
            await trio.lowlevel.checkpoint()

    def _poll(self) -> bool:
        """Whether sockets are ready; who was named comes last the next time, and must be served."""
        self._ready.extend(self._epoll.poll(0, MAX_EVENTS))
        return bool(self._ready)

    def _work(self) -> None:
        """One wake: bounded in events, bytes and time, so that timers stay on time."""
        self._working = True
        try:
            with self._batch:
                stop_at = perf_counter() + MAX_WAKE_S
                ready, wires = self._ready, self._wires
                if not ready:
                    self._poll()
                waiting = len(ready)
                is_full = waiting == MAX_EVENTS
                while ready:
                    fd, events = ready.popleft()
                    wire = wires.get(fd)
                    if wire is None:
                        continue
                    try:
                        wire.on_ready(events)
                    except Exception as error:
                        wire.endpoint.crash(error)
                    if perf_counter() >= stop_at:
                        # The rest comes first next time: asked again, epoll would name the
                        # same busy sockets ahead of it. It may be about a descriptor that is
                        # another socket's by then, which does no harm: readiness is a hint.
                        break
                self._served += waiting - len(ready)
                self._batch.input_waits = is_full or bool(ready)
        finally:
            self._working = False
            self._close_gone()

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
                del wire.endpoint, wire.send  # Both refer to the wire, or to its socket.
