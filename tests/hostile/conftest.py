"""A server process for the tests that look at what it takes from the system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.subject import Subject, running_server
from tests.hostile.kit import many_descriptors


@pytest.fixture(scope="session")
def subject() -> Iterator[Subject]:
    """One with the default settings, which these tests share: whatever they do to it."""
    with many_descriptors(), running_server() as started:
        yield started
