"""Servers that the tests of stock clients share, each test on boards of its own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from benchmarks.subject import Subject, running_server
from presence_server.server import ListeningAddress
from tests.keys import SECRET
from tests.yjs.stock import Node, node

ADMIN_TOKEN = "an-admin-token-for-these-tests-only"
MAX_BYTES = 4 * 2**20
"""The largest document of the shared servers."""
_SETTINGS = {
    "auth.admin_token": ADMIN_TOKEN,
    "documents.max_bytes": MAX_BYTES,
    "board.reconnecting_after_s": 1,
}


class SharedServer:
    """A server that outlives the test.

    Args:
        subject: its process.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.address = ListeningAddress(subject.host, subject.port, "http")

    @property
    def url(self) -> str:
        """The address for WebSockets."""
        return f"ws://{self.subject.host}:{self.subject.port}"


@pytest.fixture(scope="session")
def shared_server() -> Iterator[SharedServer]:
    """A server in mode ``none``."""
    with running_server(_SETTINGS) as subject:
        yield SharedServer(subject)


@pytest.fixture(scope="session")
def token_server() -> Iterator[SharedServer]:
    """A server in mode ``jwt``."""
    settings = {"auth.mode": "jwt", "auth.jwt_secret": SECRET}
    with running_server(_SETTINGS | settings) as subject:
        yield SharedServer(subject)


@pytest.fixture
def board(request: pytest.FixtureRequest) -> str:
    """A board of the test's own."""
    return re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:128]


@pytest.fixture
async def clients() -> AsyncIterator[Node]:
    """Stock clients."""
    async with node() as found:
        yield found
