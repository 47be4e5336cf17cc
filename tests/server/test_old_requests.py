"""Requests as old programs and proxies send them: HTTP/1.0, and targets with a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.kit import running_server
from tests.server.raw import ask


@pytest.mark.e2e
@pytest.mark.parametrize(
    "request_bytes",
    [
        # The health check of HAProxy as it is without settings, and of others.
        b"OPTIONS / HTTP/1.0\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"HEAD /healthz HTTP/1.0\r\nUser-Agent: check\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nHost: board.example\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://board.example/healthz HTTP/1.1\r\nHost: board.example\r\n\r\n",
        b"GET http://board.example HTTP/1.1\r\nHost: board.example\r\nConnection: close\r\n\r\n",
    ],
)
async def test_old_requests_are_answered_and_the_connection_closed(
    tmp_path: Path, request_bytes: bytes
) -> None:
    async with running_server(tmp_path) as address:
        # `ask` reads to the end of the connection.
        answer = await ask(address, request_bytes)
    assert answer.status == 200
    assert answer.headers["connection"] == "close"
    assert "transfer-encoding" not in answer.headers
