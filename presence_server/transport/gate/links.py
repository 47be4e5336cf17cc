"""A link to another process: requests go out in order, and wait if the link is full."""

from __future__ import annotations

import errno
import math
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import structlog
import trio

from ...waiting import Doorbell
from .handover import HandedOver, Question, packets

log = structlog.get_logger(__name__)

MAX_WAITING = 4096
"""Requests that wait for one full link."""
MAX_WAITING_BYTES = 16_777_216
"""Bytes of those requests."""
WAIT_S = 10.0
"""How long a request waits for a full link."""
_LOOK_AGAIN_S = 0.05
"""How often a full link is tried, where the kernel does not tell that it has room."""

_DESCRIPTOR = struct.Struct("i")

_FULL = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS})
"""Errors of a link, or of the whole system, that pass by themselves."""
_MAX_CONNECTS = 2
"""How often one attempt to send connects: once more if the process has just been replaced."""


class Outgoing:
    """One request on its way to another process.

    Args:
        sock: the socket that travels; it is closed here after it was sent.
        handed: what travels with it.
        on_failed: called with the socket, still open, if it cannot be sent; closes it.
    """

    __slots__ = ("_handed", "_next", "_packets", "gives_up_at", "on_failed", "sock")

    def __init__(
        self,
        sock: socket.socket,
        handed: HandedOver | Question,
        on_failed: Callable[[socket.socket], None],
    ) -> None:
        self.sock = sock
        self.on_failed = on_failed
        self._handed = handed
        self._packets = packets(handed)
        self._next = 0
        self.gives_up_at = math.inf
        """When it has waited too long, in scheduling seconds; set when it begins to wait."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return self._handed.size if isinstance(self._handed, HandedOver) else 0

    def begin(self) -> None:
        """Start with the first packet, at a new link perhaps."""
        self._next = 0

    @property
    def is_begun(self) -> bool:
        """Whether a part of it was sent."""
        return self._next > 0

    def send_on(self, link: socket.socket) -> None:
        """Send what is left, as far as the link takes it.

        Args:
            link: connected, and non-blocking.

        Raises:
            OSError: the link is full or broken.
        """
        if not self._next:
            rights = _DESCRIPTOR.pack(self.sock.fileno())
            link.sendmsg(self._packets[:1], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            self._next = 1
        while self._next < len(self._packets):
            link.send(self._packets[self._next])
            self._next += 1

    def fail(self) -> None:
        """Give it up."""
        with suppress(OSError):
            self.on_failed(self.sock)
        self.sock.close()


class Link:
    """The way to one other process. It connects when it is used, and again after each failure.

    The socket that it connects to outlives the process: while the process is replaced, requests
    wait there for its successor.

    Args:
        slot: of the other process, for the log.
        path: the socket of that slot.
    """

    def __init__(self, slot: int, path: Path) -> None:
        self._slot = slot
        self._path = str(path)
        self._sock: socket.socket | None = None
        self._waiting: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self._doorbell = Doorbell()

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent, or wait."""
        return len(self._waiting) < MAX_WAITING and self._waiting_bytes < MAX_WAITING_BYTES

    def send(self, outgoing: Outgoing) -> None:
        """Send a request now, or in its turn; never waits or raises.

        Args:
            outgoing: the request. It is given up if the link has no room or does not work.
        """
        if not self.has_room:
            outgoing.fail()
            return
        if not self._waiting and self._try(outgoing):
            return
        outgoing.gives_up_at = trio.current_time() + WAIT_S
        self._waiting.append(outgoing)
        self._waiting_bytes += outgoing.size
        self._doorbell.ring()

    async def run(self) -> NoReturn:
        """Send what waits, until cancelled; then close what is left."""
        try:
            while True:
                await self._doorbell.wait()
                while self._waiting:
                    await self._send_first()
        finally:
            for outgoing in self._waiting:
                outgoing.sock.close()
            self._waiting.clear()
            self._disconnect()

    async def _send_first(self) -> None:
        first = self._waiting[0]
        is_late = trio.current_time() >= first.gives_up_at
        if is_late or self._try(first):
            self._waiting.popleft()
            self._waiting_bytes -= first.size
            if is_late:
                if first.is_begun:
                    self._disconnect()  # Its other packets are not sent any more.
                first.fail()
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(_LOOK_AGAIN_S):
            if self._sock is None:
                await trio.sleep_forever()
            else:
                await trio.lowlevel.wait_writable(self._sock)
                # The kernel may call a link writable that does not take this packet.
                await trio.sleep(_LOOK_AGAIN_S / 10)

    def _try(self, outgoing: Outgoing) -> bool:
        """Send as much as the link takes; False if the request has to wait."""
        for _ in range(_MAX_CONNECTS):
            try:
                if self._sock is None:
                    self._connect()
                    outgoing.begin()
                assert self._sock is not None
                outgoing.send_on(self._sock)
            except OSError as error:
                if error.errno in _FULL:
                    return False
                if self._sock is None:
                    log.warning(
                        "another process cannot be reached", slot=self._slot, error=str(error)
                    )
                    outgoing.fail()
                    return True
                # The process at its end is dead: its successor is at the same path.
                self._disconnect()
            else:
                outgoing.sock.close()
                return True
        return False

    def _connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.setblocking(False)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self._sock = sock

    def _disconnect(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
