"""All plain sockets in one task: it waits once, then works through the sockets that are ready.

A task for each socket costs two wake-ups and a re-arm of epoll a message, which is most of
the price of a message. Here a connection costs no task, and under load one wake serves many.
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
"""Sockets that one wake serves at most."""
READ_SIZE = 16384
"""Bytes that are read from a socket in one wake."""
MAX_LAST_READS = 4
"""Reads in one wake from a socket whose peer is gone."""
MAX_WAKE_S = 0.005
"""How long one wake may take before other tasks run."""
_IN, _OUT = getattr(select, "EPOLLIN", 1), getattr(select, "EPOLLOUT", 4)


def pump_is_available() -> bool:
    """Whether this platform has epoll: a selector that is itself pollable, and fair."""
    return hasattr(select, "epoll")


class SocketWire:
    """One socket in the pump.

    Args:
        sock: a non-blocking socket.
        pump: watches it.
    """

    __slots__ = ("_interest", "_pump", "_sock", "endpoint", "fd", "send")

    def __init__(self, sock: socket.socket, pump: Pump) -> None:
        self._sock = sock
        self._pump = pump
        self._interest = _IN
        self.fd = sock.fileno()
        self.send = sock.send
        self.endpoint: Endpoint
        """Reads the bytes that come; may be replaced."""

    def want_write(self) -> None:
        """Call ``endpoint.on_writable()`` once the socket has room again."""
        if not self._interest & _OUT:
            self._set_interest(self._interest | _OUT)

    def want_read(self, wanted: bool) -> None:
        """Read what the peer sends, or let it wait in the system's buffers.

        Args:
            wanted: whether to read.
        """
        # With an interest in nothing, epoll still reports errors, and only errors.
        interest = self._interest & ~_IN
        self._set_interest(interest | _IN if wanted else interest)

    def shut_write(self) -> None:
        """Half-close the socket: everything was written."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    def abort(self) -> None:
        """Take the socket out of the pump and close it at the end of the wake."""
        self._pump.discard(self, self._sock)

    def release(self) -> socket.socket:
        """Take the socket out of the pump, still open. The endpoint hears nothing more."""
        self._pump.forget(self)
        return self._sock

    def on_ready(self, events: int) -> None:
        """Read once, and write what waits.

        Args:
            events: epoll's bits.
        """
        if events != _OUT:
            self._read()
        if self.endpoint.is_broken:
            self._read_last_words()
        elif events & _OUT and self.fd >= 0:
            self._set_interest(self._interest & ~_OUT)
            self.endpoint.on_writable()

    def _read_last_words(self) -> None:
        """Read what is left from a peer that is gone, some of it in each wake.

        A close frame in it is a clean leave; without one the session waits for five minutes.
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
        """Read once; return False if nothing is left to read."""
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
    """Reads and writes all plain sockets.

    Args:
        batch: opened around each wake, so that rooms flush once, at its end.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._epoll = select.epoll()
        self._wires: dict[int, SocketWire] = {}
        self._ready: deque[tuple[int, int]] = deque()
        """Events that the last wake had no time for: descriptors and epoll's bits."""
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
        return SocketWire(sock, self)

    def add(self, wire: SocketWire, endpoint: Endpoint) -> None:
        """Take over a socket. From now on the pump reads and closes it.

        Args:
            wire: the socket.
            endpoint: reads the bytes that come.

        Raises:
            OSError: the system watches no more sockets; the caller still owns this one.
        """
        self._epoll.register(wire.fd, _IN)
        wire.endpoint = endpoint
        self._wires[wire.fd] = wire

    def modify(self, fd: int, interest: int) -> None:
        """Watch a socket for other events.

        Args:
            fd: its descriptor.
            interest: epoll's bits.
        """
        self._epoll.modify(fd, interest)

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
        """Return when every socket that has input now was read once.

        More input may come all the time, so this does not wait until none is left.
        """
        enough = self._served + len(self._wires)
        while self._served < enough and (self._ready or self._poll()):
            # Each turn of the scheduler is one wake of :meth:`run`, which serves these.
            await trio.lowlevel.checkpoint()

    def _poll(self) -> bool:
        """Ask epoll, and return whether sockets are ready. Each that it names must be served."""
        self._ready.extend(self._epoll.poll(0, MAX_EVENTS))
        return bool(self._ready)

    def _work(self) -> None:
        """Serve one wake, which is bounded in events, bytes and time: timers stay on time."""
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
                        # The rest is served first next time: epoll, asked again, would name
                        # the same busy sockets before it. A descriptor in the rest may belong
                        # to another socket by then. That does no harm: readiness is a hint.
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
                del wire.endpoint, wire.send  # They refer to the wire and to its socket.
