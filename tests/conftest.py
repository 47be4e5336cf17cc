"""What every test has: Hypothesis profiles, and a word about missing programs."""

from __future__ import annotations

import asyncio
import os

import pytest
import trio_asyncio
from hypothesis import HealthCheck, settings

from tests import programs

# Examples have no deadline: they run beside others on machines of any speed.
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("full"), max_examples=20)
settings.load_profile("full")

# trio_asyncio, once imported, would give its own event loop to Playwright too, which
# nests loops and so cannot use it. With a policy set, it keeps to tasks of Trio.
assert trio_asyncio.__name__
asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())

_NEEDS = {
    "browser": ("Chromium", programs.chromium),
    "firefox": ("Firefox", programs.firefox),
    "postgres": ("PostgreSQL", programs.postgres),
    "pgbouncer": ("PgBouncer", programs.pgbouncer),
    "assets": ("Node.js with the packages of .ci/assets", programs.assets_packages),
    "npm": ("Node.js with the packages of .ci/frameworks", programs.framework_packages),
    "axe": ("Node.js with the packages of .ci/axe", programs.axe_packages),
    "yjs": ("Node.js with the packages of .ci/yjs", programs.yjs_packages),
    "redis": ("redis-server", programs.redis_server),
    "caddy": ("Caddy", programs.caddy),
    "nginx": ("nginx", programs.nginx),
}
_NOT_EVERYWHERE = {"firefox"}
"""What some systems have no package of: its tests are skipped on CI, too."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing; on CI that is a failure, if it can be had there."""
    for marker, (name, find) in _NEEDS.items():
        if item.get_closest_marker(marker) and find() is None:
            message = f"needs {name}, which is not on this machine"
            if os.environ.get("CI") == "true" and marker not in _NOT_EVERYWHERE:
                pytest.fail(message, pytrace=False)
            pytest.skip(message)
