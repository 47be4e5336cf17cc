"""Accepts connections from listening sockets, as fast as they come and no faster."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import NoReturn

import structlog
import trio

from ..http.head import MAX_HEAD_BYTES
from ..http.refusal import Refusal
from .descriptors import are_few_left, is_among_the_last

log = structlog.get_logger(__name__)

MAX_ACCEPTS = 32
ACCEPT_PAUSE_S = 0.1
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def accept_forever(
    listener: socket.socket, greet: Callable[[socket.socket, str], None]
) -> NoReturn:
    """Hand each connection to ``greet``, with the address of its peer, until cancelled.

    When few descriptors are left it waits until more are free: those who wait in the
    listener's backlog are then accepted.

    Args:
        listener: non-blocking.
        greet: owns the socket from then on, which is non-blocking. What it raises ends
            that connection, and no other.
    """
    pause = _Pause()
    while True:
        await trio.lowlevel.wait_readable(listener)
        for _ in range(MAX_ACCEPTS):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    continue  # That one peer is gone again.
                await pause.take(str(error.strerror))
                break
            pause.end()
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            is_last = is_among_the_last(sock.fileno())
            try:
                greet(sock, address[0])
            except Exception:
                log.exception("connection failed before its handshake")
                sock.close()
            if is_last:
                # Who waits would take each that becomes free, before a store that lost its
                # files or its connection could.
                while are_few_left(listener.fileno()):
                    await pause.take("few descriptors are left")
                break


class _Pause:
    """Accepting stops for a while. Said once, however often it takes."""

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
    """Answer and close without waiting for anything: a flood must cost next to nothing."""
    with sock, contextlib.suppress(OSError):
        # Closing with unread input resets the connection, and the answer with it.
        with contextlib.suppress(BlockingIOError):
            sock.recv(MAX_HEAD_BYTES)
        sock.send(refusal.response())
        sock.shutdown(socket.SHUT_WR)
