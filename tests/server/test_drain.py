"""A signal: everybody is told to come back, and the process ends in time with code 0."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
from websockets.frames import Opcode

from presence_server.server import ListeningAddress
from tests.server.kit import PATIENCE_S, visiting
from tests.server.process import ServerProcess, server_process
from tests.server.raw import ask, plain, talk
from tests.transport.frames import frame, upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

SIGNALS = [signal.SIGTERM, signal.SIGINT]
MORE_THAN_FITS = 64 * 1024
"""So many pongs of 127 bytes fill the send buffer of a socket twice over."""

DEAF_IS_FINE: dict[str, int] = {
    "limits__outbox_bytes": 2**26,
    "limits__write_timeout_s": 3600,
    "limits__ping_interval_s": 3600,
}
"""A server that would wait an hour for a peer that does not read."""


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'presence.db'}"


def open_sessions(folder: Path) -> list[str]:
    """Who has a session that is open in the store."""
    with closing(sqlite3.connect(folder / "presence.db")) as database:
        rows = database.execute("SELECT user_id FROM presence WHERE disconnected_at IS NULL")
        return sorted(user_id for (user_id,) in rows)


def assert_quiet(server: ServerProcess) -> None:
    """Nothing was logged that an operator would have to look into."""
    for line in server.log:
        entry = json.loads(line)
        assert entry["level"] in ("debug", "info"), line
        assert "exception" not in entry, line


@asynccontextmanager
async def deaf_peer(address: ListeningAddress) -> AsyncIterator[RawClient]:
    """A session that does not read: what it is told does not leave the server."""
    visitor = await talk(address, receive_buffer=4096)
    async with visitor.stream:
        await visitor.upgrade("/ws/boards/demo?user_id=deaf")
        await visitor.next_of("board:joined")
        await visitor.send(frame(Opcode.PING, b"x" * 125) * MORE_THAN_FITS)
        yield visitor


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="POSIX only")
async def test_sighup_is_ignored_with_a_line_and_the_server_goes_on(tmp_path: Path) -> None:
    async with server_process(database__url=database_url(tmp_path)) as server:
        await server.signal(signal.SIGHUP)
        answer = await ask(server.address, plain("GET /healthz HTTP/1.1"))
        assert answer.status == 200
        await server.signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        assert_quiet(server)
    assert [line for line in server.log if "SIGHUP is ignored" in line]


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_sends_everybody_away_to_come_back_later(
    tmp_path: Path, number: signal.Signals
) -> None:
    names = [f"user-{n:02}" for n in range(20)]
    async with server_process(
        database__url=database_url(tmp_path), server__drain_timeout_s=5
    ) as server:
        async with visiting(server.address) as visitors:
            clients = [await visitors.join(name) for name in names]
            await server.signal(number)
            waits_ms = []
            for client in clients:
                code, reason = await client.close_code()
                assert code == 1012
                said = json.loads(reason or "")
                assert list(said) == ["retry_after_ms"]
                waits_ms.append(said["retry_after_ms"])
            assert all(0 <= wait_ms <= 5000 for wait_ms in waits_ms)
            # Twenty draws out of five thousand are not all the same.
            assert len(set(waits_ms)) > 1
            assert await server.exit_code() == 0
        assert_quiet(server)
    assert open_sessions(tmp_path) == names


async def test_a_signal_with_nobody_there_ends_at_once(tmp_path: Path) -> None:
    async with server_process(
        database__url=database_url(tmp_path), server__drain_timeout_s=3600
    ) as server:
        await server.signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        assert_quiet(server)


async def test_a_peer_that_never_reads_does_not_keep_the_server(tmp_path: Path) -> None:
    async with server_process(
        database__url=database_url(tmp_path),
        server__drain_timeout_s=0.5,
        **DEAF_IS_FINE,
    ) as server:
        async with deaf_peer(server.address):
            await server.signal(signal.SIGTERM)
            assert await server.exit_code() == 0
        assert_quiet(server)
    assert open_sessions(tmp_path) == ["deaf"]


async def test_while_it_drains_the_server_says_so_and_lets_nobody_in(tmp_path: Path) -> None:
    async with server_process(
        database__url=database_url(tmp_path),
        server__drain_timeout_s=3600,
        **DEAF_IS_FINE,
    ) as server:
        async with visiting(server.address) as visitors:
            ada = await visitors.join("ada")
            # Keeps the drain going for as long as the test wants to look at it.
            async with deaf_peer(server.address):
                await server.signal(signal.SIGTERM)
                assert (await ada.close_code())[0] == 1012
                refused = await ask(server.address, upgrade_request())
                assert refused.status == 503
                assert int(refused.headers["retry-after"]) > 0
                assert json.loads(refused.body)["error"]["code"] == "DRAINING"
                ready = await ask(server.address, plain("GET /readyz HTTP/1.1"))
                assert ready.status == 503
                assert json.loads(ready.body)["status"] == "draining"
                alive = await ask(server.address, plain("GET /healthz HTTP/1.1"))
                assert alive.status == 200
            assert await server.exit_code() == 0
        assert_quiet(server)
    assert open_sessions(tmp_path) == ["ada", "deaf"]


async def test_a_second_signal_ends_the_drain(tmp_path: Path) -> None:
    async with server_process(
        database__url=database_url(tmp_path),
        server__drain_timeout_s=3600,
        **DEAF_IS_FINE,
    ) as server:
        async with visiting(server.address) as visitors, deaf_peer(server.address):
            ada = await visitors.join("ada")
            await server.signal(signal.SIGTERM)
            assert (await ada.close_code())[0] == 1012
            # The same number again at once would be the launcher's echo to a single file.
            await server.signal(signal.SIGINT)
            with trio.fail_after(PATIENCE_S):
                await server.exit_code()
        assert_quiet(server)
    assert open_sessions(tmp_path) == ["ada", "deaf"]
