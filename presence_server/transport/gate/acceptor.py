"""Accepts connections from listening sockets."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog
import trio

from ..http.head import MAX_HEAD_BYTES
from ..http.refusal import Refusal
from .descriptors import are_few_left, is_among_the_last

log = structlog.get_logger(__name__)

MAX_ACCEPTS = 16
"""How many connections are accepted before other tasks run."""
ACCEPT_PAUSE_S = 0.1
"""How long accepting stops when the system has no resources left."""
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def accept_forever(
    listener: socket.socket,
    take: Callable[[socket.socket, str], None],
    until_served: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
) -> NoReturn:
    """Accept connections until cancelled.

    While few descriptors are left, nothing is accepted: peers wait in the listener's backlog.

    Args:
        listener: a non-blocking listening socket.
        take: called with each connection's socket, which is non-blocking, and the address
            of its peer. It owns the socket. An exception of it ends that connection alone.
        until_served: waits until earlier connections were served; awaited before more are
            accepted. What waits in the listener's backlog costs this process nothing.
    """
    pause = _Pause()
    while True:
        await until_served()
        await trio.lowlevel.wait_readable(listener)
        for _ in range(MAX_ACCEPTS):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    continue  # That peer is gone again.
                await pause.take(str(error.strerror))
                break
            pause.end()
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            is_last = is_among_the_last(sock.fileno())
            try:
                take(sock, address[0])
            except Exception:
                log.exception("connection failed before its handshake")
                sock.close()
            if is_last:
                # A store that lost its files or its connection needs descriptors too, and
                # peers in the backlog would take each one that becomes free.
                while are_few_left(listener.fileno()):
                    await pause.take("few descriptors are left")
                break


class _Pause:
    """Stops accepting for a while, and logs that once for any number of pauses in a row."""

    def __init__(self) -> None:
        self._is_on = False

    async def take(self, why: str) -> None:
        if not self._is_on:
            log.warning("accepting paused", error=why)
        self._is_on = True
        await trio.sleep(ACCEPT_PAUSE_S)

    def end(self) -> None:
        if self._is_on:
            log.info("accepting again")
            self._is_on = False


def turn_away(sock: socket.socket, refusal: Refusal) -> None:
    """Answer and close at once, so that a flood of connections costs little.

    Args:
        sock: a non-blocking socket; it is closed.
        refusal: the answer.
    """
    with sock, contextlib.suppress(OSError):
        # Closing with unread input resets the connection, and the peer loses the answer.
        with contextlib.suppress(BlockingIOError):
            sock.recv(MAX_HEAD_BYTES)
        sock.send(refusal.response())
        sock.shutdown(socket.SHUT_WR)
