"""The loops on which the client's tests run."""

from __future__ import annotations

import pytest

from tests.client.loops import STAGES, Stage


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    """A loop, and streams in memory."""
    return STAGES[request.param]
