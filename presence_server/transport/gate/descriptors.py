"""How many more file descriptors this process may open, found without counting them.

The system gives out the lowest free number, so a high number says that few are left.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys

if sys.platform != "win32":
    import resource

USUAL_LIMIT = 1024
"""The usual limit of a process that does not ask for more."""
RESERVE = 32
"""Descriptors that connections may not use: stores reconnect and files are read in a crowd too."""


def is_among_the_last(fd: int) -> bool:
    """Whether a connection should not use this descriptor, nor a higher one."""
    return fd >= _given_to_connections()


def are_few_left(fd: int) -> bool:
    """Whether the next descriptor would be among the last.

    Args:
        fd: any open descriptor.
    """
    try:
        free = os.dup(fd)
    except OSError:
        return True
    os.close(free)
    return is_among_the_last(free)


def make_room_for(connections: int) -> float:
    """Raise this process's limit of descriptors, as far as the system allows it.

    A limit under the usual one was set on purpose and stays.

    Args:
        connections: how many connections the settings allow.

    Returns:
        For how many connections there is room afterwards.
    """
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * connections + USUAL_LIMIT  # Requests for pages are connections, too.
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if USUAL_LIMIT <= soft < wanted:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return _given_to_connections()


def _given_to_connections() -> float:
    if sys.platform == "win32":
        return math.inf  # This system does not tell.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return math.inf
    return limit - min(RESERVE, limit // 4)
