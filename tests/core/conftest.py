"""Boards for the stories."""

from __future__ import annotations

import pytest

from tests.core.world import World
from tests.limits import board_limits


@pytest.fixture
def board() -> World:
    """An ordinary board with ordinary settings."""
    return World(board_limits())


@pytest.fixture
def bench() -> World:
    """A board with one seat."""
    return World(board_limits(capacity=1))
