"""Signals of a process without an event loop: they wake it, and it reads them when it has time."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from time import monotonic

from ..frozen import EchoFilter

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_echoes = EchoFilter()


@contextlib.contextmanager
def signals_at_a_socket() -> Iterator[socket.socket]:
    """Have signals arrive as bytes at a socket, as long as the context lasts."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def received(wakeup: socket.socket) -> Iterator[int]:
    """Give the numbers of the signals that have come, but that of SIGCHLD.

    Args:
        wakeup: from :func:`signals_at_a_socket`.
    """
    with contextlib.suppress(BlockingIOError):
        while data := wakeup.recv(256):
            for number in data:
                if number != signal.SIGCHLD and not _echoes.is_echo(number, monotonic()):
                    yield number
