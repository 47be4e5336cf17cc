"""When to ask a peer whether it is there."""

from __future__ import annotations

import math

_MOMENTS = 64


def ping_time(since: float, interval_s: float) -> float:
    """When to ping a peer that was last asked at ``since``: within ``interval_s``, hardly sooner.

    All connections share the moments for that, 64 in an interval. Thousands of pings, and of
    pongs, each at a time of its own would wake the server as often; most of its work while
    nothing happens was that.
    """
    step_s = interval_s / _MOMENTS
    return max(math.floor((since + interval_s) / step_s) * step_s, since + interval_s - step_s)
