"""Tells systemd how the server is: ready, alive, on its way down (sd_notify(3)).

Without ``NOTIFY_SOCKET`` in the environment nobody asks, and nothing is sent.

No library does it: `systemd-python` is a C extension that has to be built, `sdnotify`
has no watchdog and no release since 2017, and what all of them send is one datagram.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog
import trio

log = structlog.get_logger(__name__)

PINGS_PER_TIMEOUT = 2
"""sd_watchdog_enabled(3) asks for a sign of life every half of the timeout."""


class ServiceManager:
    """Whoever started this process and wants to be told.

    Args:
        address: of its datagram socket, as systemd writes it: a path, or ``@name`` for
            an abstract one; None if there is nobody.
        watchdog_s: without a sign of life for so long it kills this process; None if not.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = None if address is None else watchdog_s

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> ServiceManager:
        """The one that the environment names."""
        return cls(environ.get("NOTIFY_SOCKET") or None, _watchdog_s(environ))

    def tell(self, **state: str) -> None:
        """Send ``KEY=value`` lines, without waiting. Nobody there is no reason to stop."""
        if self._address is None:
            return
        lines = "\n".join(f"{name}={value}" for name, value in state.items())
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(lines.encode(), address)
        except OSError as error:
            log.warning("the service manager cannot be told", told=lines, error=str(error))

    async def keep_informed(self, url: str, stop: trio.Event) -> None:
        """Ready now, alive from now on, and stopping once ``stop`` is set; until cancelled.

        The signs of life come from a task like all others: when the event loop hangs
        they end, and the manager starts the server anew.
        """
        async with trio.open_nursery() as nursery:
            self.tell(READY="1", STATUS=f"Serving {url}")
            if self._watchdog_s is not None:
                nursery.start_soon(self._show_life, self._watchdog_s / PINGS_PER_TIMEOUT)
            await stop.wait()
            self.tell(STOPPING="1", STATUS="Draining")

    async def _show_life(self, interval_s: float) -> None:
        while True:
            self.tell(WATCHDOG="1")
            await trio.sleep(interval_s)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """The timeout, if it is meant for this process and not for one that started it."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        timeout_s = int(environ.get("WATCHDOG_USEC", "")) / 1_000_000
    except ValueError:
        return None
    return timeout_s if timeout_s > 0 else None
