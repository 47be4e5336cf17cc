"""Tells systemd whether the server is ready, alive or stopping (sd_notify(3)).

Without ``NOTIFY_SOCKET`` in the environment nothing is sent.

No library is used: `systemd-python` is a C extension that has to be built, `sdnotify` has
no watchdog and no release since 2017, and the whole protocol is one datagram.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog
import trio

from ..frozen import launcher_pid

log = structlog.get_logger(__name__)

PINGS_PER_TIMEOUT = 2
"""sd_watchdog_enabled(3) recommends a sign of life after each half of the timeout."""


class ServiceManager:
    """The service manager that started this process, if there is one.

    Args:
        address: its datagram socket in systemd's notation: a path, or ``@name`` for an
            abstract socket; None: there is no service manager.
        watchdog_s: seconds without a sign of life after which it kills this process;
            None: it never does.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = None if address is None else watchdog_s
        self._status = ""
        self._is_ready = False

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> ServiceManager:
        """The service manager that the environment names."""
        return cls(environ.get("NOTIFY_SOCKET") or None, _watchdog_s(environ))

    @property
    def life_interval_s(self) -> float | None:
        """Seconds between two signs of life; None if nobody waits for them."""
        return None if self._watchdog_s is None else self._watchdog_s / PINGS_PER_TIMEOUT

    def tell(self, **state: str) -> None:
        """Send ``KEY=value`` lines without waiting. A missing listener is logged, never raised."""
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
            log.warning("the service manager does not listen", message=lines, error=str(error))

    def set_status(self, line: str) -> None:
        """Show a line as the status, at once if ready was reported already."""
        self._status = line
        if self._is_ready:
            self.tell(STATUS=line)

    def report_ready(self) -> None:
        """Report that the server is ready, with its status."""
        self._is_ready = True
        self.tell(READY="1", STATUS=self._status)

    def report_stopping(self) -> None:
        """Report that the server drains."""
        self._is_ready = False
        self.tell(STOPPING="1", STATUS="Draining")

    def show_life(self) -> None:
        """Report that the process is alive."""
        self.tell(WATCHDOG="1")

    async def keep_informed(self, stop: trio.Event) -> None:
        """Report ready, then signs of life, then stopping once ``stop`` is set.

        Runs until cancelled. The signs of life come from an ordinary task: when the event
        loop hangs they end, and the service manager starts the server again.

        Args:
            stop: set when the drain begins.
        """
        async with trio.open_nursery() as nursery:
            self.report_ready()
            if self.life_interval_s is not None:
                nursery.start_soon(self._keep_showing_life, self.life_interval_s)
            await stop.wait()
            self.report_stopping()

    async def _keep_showing_life(self, interval_s: float) -> None:
        while True:
            self.show_life()
            await trio.sleep(interval_s)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """The watchdog's timeout; None if it is for another process.

    Of the single file systemd knows only the launcher, and writes the launcher's process id.
    """
    own = {str(os.getpid()), str(launcher_pid())}
    if environ.get("WATCHDOG_PID", str(os.getpid())) not in own:
        return None
    try:
        timeout_s = int(environ.get("WATCHDOG_USEC", "")) / 1_000_000
    except ValueError:
        return None
    return timeout_s if timeout_s > 0 else None
