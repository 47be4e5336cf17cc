"""How many processes a server has, and how many cores there are for them."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from ..settings import Settings, SettingsError
from ..settings.values import MAX_PROCESSES

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The quota of a container: microseconds of one core in a period, or ``max``; and the period."""


def process_count(settings: Settings, platform: str = sys.platform) -> int:
    """How many processes serve the boards.

    Args:
        settings: ``server.processes`` counts.
        platform: as ``sys.platform``.

    Raises:
        SettingsError: this system cannot run several.
    """
    wanted = settings.server.processes
    if wanted == "auto":
        return min(available_cores(), MAX_PROCESSES) if platform == "linux" else 1
    if wanted > 1 and platform != "linux":
        raise SettingsError(
            ["server.processes: more than one needs Linux, whose processes can share a port"]
        )
    return wanted


def available_cores(quota: Path = _QUOTA) -> int:
    """How many cores this process may use: those it may run on, within a container's quota.

    Args:
        quota: the file with the quota.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        allowed, period = quota.read_text().split()
        return max(1, min(cores, math.floor(int(allowed) / int(period))))
    except (OSError, ValueError):
        return cores  # There is no quota.
