"""One plain socket, which the pump watches."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from .lane import READABLE, WRITABLE, Lane
from .ports import Endpoint

if TYPE_CHECKING:
    from .pump import Pump

READ_SIZE = 16384
"""Bytes that are read from a socket in one wake."""
MAX_LAST_READS = 4
"""Reads in one wake from a socket whose peer is gone."""


class SocketWire:
    """One socket in the pump.

    Args:
        sock: a non-blocking socket.
        pump: reads and closes it.
        lane: watches it from the start of the pump on.
    """

    __slots__ = ("_interest", "_pump", "_sock", "endpoint", "fd", "lane", "send")

    def __init__(self, sock: socket.socket, pump: Pump, lane: Lane) -> None:
        self._sock = sock
        self._pump = pump
        self.lane = lane
        """The sockets that are served together with it."""
        self._interest = READABLE
        self.fd = sock.fileno()
        self.send = sock.send
        self.endpoint: Endpoint
        """Reads the bytes that come; may be replaced."""

    def join_sessions(self) -> None:
        """Serve the socket before newcomers from now on: it has a session.

        Raises:
            OSError: the system watches no more sockets; this one stays among the newcomers.
        """
        self._pump.join_sessions(self, self._interest)

    def want_write(self) -> None:
        """Call ``endpoint.on_writable()`` once the socket has room again."""
        if not self._interest & WRITABLE:
            self._set_interest(self._interest | WRITABLE)

    def want_read(self, wanted: bool) -> None:
        """Read what the peer sends, or let it wait in the system's buffers.

        Args:
            wanted: whether to read.
        """
        # With an interest in nothing, epoll still reports errors, and only errors.
        interest = self._interest & ~READABLE
        self._set_interest(interest | READABLE if wanted else interest)

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
        if events != WRITABLE:
            self._read()
        if self.endpoint.is_broken:
            self._read_last_words()
        elif events & WRITABLE and self.fd >= 0:
            self._set_interest(self._interest & ~WRITABLE)
            self.endpoint.on_writable()

    def _read_last_words(self) -> None:
        """Read what is left from a peer that is gone, some of it in each wake.

        A close frame in it is a clean leave; without one the session waits for five minutes.
        """
        for _ in range(MAX_LAST_READS):
            if self.fd < 0 or not self._read():
                break
        else:
            self._set_interest(READABLE)
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
            self.lane.modify(self.fd, interest)
