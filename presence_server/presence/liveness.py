"""Tells whether another server on this machine is alive, without asking it.

A server binds an abstract Unix socket that is named after it. The kernel removes the name when
the process ends, and not before: a stopped process keeps it. So a name that can be bound belongs
to no living process, if both are in the same network namespace of the same boot.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/net")


def this_host() -> str | None:
    """Name this boot of this machine and this network namespace; None if not on Linux."""
    if sys.platform != "linux":
        return None
    try:
        return f"{_BOOT_ID.read_text().strip()}:{_NAMESPACE.stat().st_ino}"
    except OSError:
        return None


class SignOfLife:
    """The socket that shows that a server is alive, until it is closed.

    Args:
        owner_id: unique to this start of the server.
    """

    def __init__(self, owner_id: str) -> None:
        self.owner_id = owner_id
        self.host = this_host()
        self._socket = None if self.host is None else _bind(owner_id)

    def is_dead(self, owner_id: str, host: str | None) -> bool:
        """Whether a server is known to be dead; False if it may live.

        Args:
            owner_id: its id.
            host: where it runs, as it named it.
        """
        if host is None or host != self.host:
            return False
        found = _bind(owner_id)
        if found is None:
            return False
        found.close()
        return True

    def close(self) -> None:
        """End the sign of life."""
        if self._socket is not None:
            self._socket.close()


def _bind(owner_id: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.bind(f"\0presence-server-{owner_id}")
    except OSError:
        sock.close()
        return None
    return sock
