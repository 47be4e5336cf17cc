"""Boards for the stories."""

from __future__ import annotations

import pytest

from presence_server.protocol.model import BoardLimits
from tests.core.world import World


@pytest.fixture
def board() -> World:
    """An ordinary board with ordinary settings."""
    return World(BoardLimits())


@pytest.fixture
def bench() -> World:
    """A board with one seat."""
    return World(BoardLimits(capacity=1))
