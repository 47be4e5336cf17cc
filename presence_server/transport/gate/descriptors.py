"""How many more descriptors this process may open, asked without counting them.

The lowest free number is given out first, so a high one says that few are left.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys

if sys.platform != "win32":
    import resource

USUAL_LIMIT = 1024
"""What systems give a process that does not ask for more."""
RESERVE = 32
"""Kept from connections: the stores must reconnect and files be read in a crowd, too."""


def is_among_the_last(fd: int) -> bool:
    """Whether connections have no business with descriptors from this one on."""
    return fd >= _given_to_connections()


def are_few_left(fd: int) -> bool:
    """Whether the next descriptor would be among the last; ``fd`` is any open one."""
    try:
        free = os.dup(fd)
    except OSError:
        return True
    os.close(free)
    return is_among_the_last(free)


def make_room_for(connections: int) -> float:
    """Raise this process's limit for so many connections, as far as the system lets it.

    A limit under the usual one was set on purpose, and is left alone.

    Returns:
        For how many there is room then.
    """
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * connections + USUAL_LIMIT  # Pages are asked for over others.
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if USUAL_LIMIT <= soft < wanted:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return _given_to_connections()


def _given_to_connections() -> float:
    if sys.platform == "win32":
        return math.inf  # Nothing says how many there are.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return math.inf
    return limit - min(RESERVE, limit // 4)
