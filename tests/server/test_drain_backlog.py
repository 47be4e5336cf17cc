"""A signal while there is something left to hear: it is heard first."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trio

from tests.certificates import tls
from tests.hostile.kit import joined
from tests.server.kit import PATIENCE_S
from tests.server.process import server_process
from tests.server.raw import talk_tls
from tests.server.test_drain import assert_quiet, database_url, open_sessions
from tests.transport.frames import close, event
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

CROWD = 400
"""More than one wake of the pump reads."""
TLS_CROWD = 50


@pytest.mark.parametrize("goodbye", [close(1000), event("board:leave")])
async def test_a_goodbye_said_before_the_signal_is_a_leave(tmp_path: Path, goodbye: bytes) -> None:
    async with server_process(
        database__url=database_url(tmp_path), board__capacity=CROWD
    ) as server:
        codes: list[int | None] = []

        async def leave(visitor: RawClient) -> None:
            codes.append(await visitor.end())

        with trio.fail_after(PATIENCE_S):
            crowd = [
                # Few on a board, for all of them hear of everybody.
                await joined(server.address, f"user-{number}", f"board-{number // 10}")
                for number in range(CROWD)
            ]
            # It stands still, as on a busy machine, while they say goodbye.
            await server.signal(signal.SIGSTOP)
            for visitor in crowd:
                await visitor.send(goodbye)
            await server.signal(signal.SIGTERM)
            await server.signal(signal.SIGCONT)
            async with trio.open_nursery() as nursery:
                for visitor in crowd:
                    nursery.start_soon(leave, visitor)
            assert codes == [1000] * CROWD
            assert await server.exit_code() == 0
            for visitor in crowd:
                await visitor.stream.aclose()
        assert_quiet(server)
    assert open_sessions(tmp_path) == []


async def test_over_tls_too(tmp_path: Path) -> None:
    settings, trust = tls(tmp_path)
    async with server_process(
        database__url=database_url(tmp_path),
        **settings,
    ) as server:
        crowd = []
        with trio.fail_after(PATIENCE_S):
            for number in range(TLS_CROWD):
                visitor = await talk_tls(server.address, trust)
                await visitor.upgrade(f"/ws/boards/board-{number // 10}?user_id=user-{number}")
                await visitor.next_of("board:joined")
                crowd.append(visitor)
            await server.signal(signal.SIGSTOP)
            for visitor in crowd:
                await visitor.send(close(1000))
            await server.signal(signal.SIGTERM)
            await server.signal(signal.SIGCONT)
            assert await server.exit_code() == 0
            for visitor in crowd:
                await trio.aclose_forcefully(visitor.stream)
        assert_quiet(server)
    assert open_sessions(tmp_path) == []
