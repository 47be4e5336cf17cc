"""Somebody was to read the log, and does not any more."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trio

from tests.hostile.kit import joined
from tests.server.kit import PATIENCE_S
from tests.server.process import server_process
from tests.server.raw import ask, plain
from tests.server.test_drain import database_url

pytestmark = pytest.mark.e2e

LINES = 1000
"""More than a pipe holds."""


async def test_a_full_pipe_stops_neither_the_server_nor_its_end(tmp_path: Path) -> None:
    async with server_process(
        reads_log=False,
        database__url=database_url(tmp_path),
        logging__level="debug",
        # Beyond anybody's patience: the end must come by itself.
        server__drain_timeout_s=3600,
    ) as server:
        with trio.fail_after(6 * PATIENCE_S):  # A thousand joins, on a busy machine.
            watcher = await joined(server.address, "watcher")
            for number in range(LINES):
                visitor = await joined(server.address, f"user-{number}", f"board-{number}")
                await visitor.stream.aclose()
            assert await watcher.answers() == []
            assert (await ask(server.address, plain("GET /healthz HTTP/1.1"))).status == 200
            await server.signal(signal.SIGTERM)
            assert await watcher.end() == 1012
            await watcher.stream.aclose()
            assert await server.exit_code() == 0
