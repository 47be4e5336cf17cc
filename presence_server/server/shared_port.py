"""One port for several processes: each has listening sockets of its own (``SO_REUSEPORT``).

The kernel spreads new connections over these sockets. The supervisor keeps all of them open, so
the connections that a dead process did not accept wait for its successor.
"""

from __future__ import annotations

import socket

from ..settings import Settings
from .listening import bind, bind_now, listen


def open_shared_port(settings: Settings, processes: int) -> list[list[socket.socket]]:
    """Open the port once for each process.

    Args:
        settings: the address.
        processes: how many.

    Returns:
        The non-blocking listening sockets of each process.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    # The first ones are bound and listen as if they were the only ones. So a port that another
    # server has is in use, even if that server shares it among processes of the same user.
    opened = [bind_now(settings)]
    listen(opened[0], settings)
    try:
        for first in opened[0]:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(processes - 1):
            opened.append([])
            for first in opened[0]:
                opened[-1].append(bind(first.family, first.getsockname(), shared=True))
            listen(opened[-1], settings)
    except BaseException:
        for sock in (sock for sockets in opened for sock in sockets):
            sock.close()
        raise
    return opened
