"""Accepts connections from listening sockets, as fast as they come and no faster."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import NoReturn

import structlog
import trio

from .head import MAX_HEAD_BYTES
from .refusal import Refusal

log = structlog.get_logger(__name__)

MAX_ACCEPTS = 32
ACCEPT_PAUSE_S = 0.1
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def accept_forever(
    listener: socket.socket, greet: Callable[[socket.socket, str], None]
) -> NoReturn:
    """Hand each connection to ``greet``, with the address of its peer, until cancelled.

    When descriptors have run out it waits until some are free: those who wait in the
    listener's backlog are then accepted.

    Args:
        listener: non-blocking.
        greet: owns the socket from then on, which is non-blocking. What it raises ends
            that connection, and no other.
    """
    paused = False
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
                if not paused:
                    log.warning("accepting paused", error=error.strerror)
                paused = True
                await trio.sleep(ACCEPT_PAUSE_S)
                break
            if paused:
                log.info("accepting again")
                paused = False
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                greet(sock, address[0])
            except Exception:
                log.exception("connection failed before its handshake")
                sock.close()


def turn_away(sock: socket.socket, refusal: Refusal) -> None:
    """Answer and close without waiting for anything: a flood must cost next to nothing."""
    with sock, contextlib.suppress(OSError):
        # Closing with unread input resets the connection, and the answer with it.
        with contextlib.suppress(BlockingIOError):
            sock.recv(MAX_HEAD_BYTES)
        sock.send(refusal.response())
        sock.shutdown(socket.SHUT_WR)
