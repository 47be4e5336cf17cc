"""A server of several processes, from its settings to its end."""

from __future__ import annotations

from ..settings import Settings
from .family import Family
from .notify import ServiceManager
from .supervisor import Supervisor


def supervise(settings: Settings, processes: int) -> None:
    """Serve with several processes until SIGTERM or SIGINT, then drain.

    A second signal ends everything at once. Call it in a process without threads, which does
    nothing else.

    Args:
        settings: all of them.
        processes: how many.

    Raises:
        PresenceError: the server cannot start; its text is one line for the operator.
    """
    family = Family(settings, processes)
    server = settings.server
    try:
        Supervisor(
            family, server.drain_timeout_s, server.stall_timeout_s, ServiceManager.of()
        ).run()
    finally:
        family.close()
