"""Nobody and nothing that stands still keeps a server that was told to stop.

Every wait that a peer could cause is set to an hour here, so that a server which waited
for one of them would not end while the test looks. A drain and the last writes have
bounds of their own, ``server.drain_timeout_s`` and less than 2 s.
"""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
from websockets.frames import Opcode

from presence_server.server.process import LAST_RESORT_S
from presence_server.server.serving import FLUSH_DEADLINE_S
from tests.certificates import tls
from tests.server.kit import PATIENCE_S, Client, visiting
from tests.server.process import ServerProcess, server_process
from tests.server.raw import talk, talk_tls
from tests.server.test_drain import (
    DEAF_IS_FINE,
    MORE_THAN_FITS,
    assert_quiet,
    database_url,
    deaf_peer,
    open_sessions,
)
from tests.servers import PostgresServer, start_postgres
from tests.transport.frames import frame

pytestmark = pytest.mark.e2e

PATIENT: dict[str, object] = {**DEAF_IS_FINE, "limits__handshake_timeout_s": 3600}
SHORT_DRAIN: dict[str, object] = {"server__drain_timeout_s": 0.5}
GIVEN_UP = {"writes given up", "exiting with connections to the stores open"}


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    server = start_postgres()
    yield server
    server.remove()


async def say(client: Client, number: int) -> None:
    """An update, and the sign that the room has it; the store has it a while later."""
    await client.send("presence:update", metadata={"n": number}, cursor={"x": number, "y": 0})
    while (await client.next_of("presence:update"))["metadata"] != {"n": number}:
        pass


def said(server: ServerProcess) -> set[str]:
    """The events it logged."""
    return {str(json.loads(line)["event"]) for line in server.log}


def test_the_last_writes_and_the_last_resort_come_within_two_seconds_of_the_drain() -> None:
    assert FLUSH_DEADLINE_S < LAST_RESORT_S < 2


async def test_what_was_said_just_before_the_signal_is_stored(tmp_path: Path) -> None:
    async with server_process(database__url=database_url(tmp_path)) as server:
        async with visiting(server.address) as visitors:
            clients = [await visitors.join(f"user-{n:02}") for n in range(20)]
            for number, client in enumerate(clients):
                await say(client, number)
            await server.signal(signal.SIGTERM)
            assert await server.exit_code() == 0
        assert_quiet(server)
    with closing(sqlite3.connect(tmp_path / "presence.db")) as database:
        rows = database.execute("SELECT user_id, metadata, cursor_x FROM presence")
        stored = {user: (json.loads(metadata)["n"], x) for user, metadata, x in rows}
    assert stored == {f"user-{n:02}": (n, n) for n in range(20)}


async def test_peers_that_stall_in_any_stage_do_not_keep_the_server(tmp_path: Path) -> None:
    async with server_process(
        database__url=database_url(tmp_path), **SHORT_DRAIN, **PATIENT
    ) as server:
        silent, half = await talk(server.address), await talk(server.address)
        unread = await talk(server.address, receive_buffer=4096)
        async with silent.stream, half.stream, unread.stream, deaf_peer(server.address):
            await half.send(b"GET /ws/boards/demo HTTP/1.1\r\nHost: x\r\n")
            await unread.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
            await server.signal(signal.SIGTERM)
            assert await server.exit_code() == 0
        assert_quiet(server)
    assert open_sessions(tmp_path) == ["deaf"]


async def test_peers_that_stall_under_tls_do_not_keep_the_server(tmp_path: Path) -> None:
    settings, trust = tls(tmp_path)
    async with server_process(
        database__url=database_url(tmp_path),
        **settings,
        **SHORT_DRAIN,
        **PATIENT,
    ) as server:
        silent = await talk(server.address)
        deaf = await talk_tls(server.address, trust)
        async with silent.stream:
            with trio.fail_after(PATIENCE_S):
                await deaf.upgrade("/ws/boards/demo?user_id=deaf")
                await deaf.next_of("board:joined")
                await deaf.send(frame(Opcode.PING, b"x" * 125) * MORE_THAN_FITS)
            await server.signal(signal.SIGTERM)
            assert await server.exit_code() == 0
        await trio.aclose_forcefully(deaf.stream)
        assert_quiet(server)
    assert open_sessions(tmp_path) == ["deaf"]


@pytest.mark.postgres
@pytest.mark.parametrize("signals", [1, 2])
async def test_a_store_that_stalls_does_not_keep_the_server(
    own_postgres: PostgresServer, signals: int
) -> None:
    drain_timeout_s = 0.5 if signals == 1 else 3600
    async with server_process(
        database__url=own_postgres.new_database(),
        server__drain_timeout_s=drain_timeout_s,
        **PATIENT,
    ) as server:
        async with visiting(server.address) as visitors, deaf_peer(server.address):
            ada = await visitors.join("ada")
            own_postgres.freeze()
            await say(ada, 1)
            # The same number again at once would be the launcher's echo to a single file.
            for number in (signal.SIGTERM, signal.SIGINT)[:signals]:
                await server.signal(number)
                assert signals == 1 or (await ada.close_code())[0] == 1012
            assert await server.exit_code() == 0
        # Closing its connections would have taken longer; after a second signal, the writes too.
        assert said(server) >= GIVEN_UP - ({"writes given up"} if signals == 2 else set())


async def test_a_database_file_that_is_locked_does_not_keep_the_server(tmp_path: Path) -> None:
    async with server_process(
        database__url=database_url(tmp_path), **SHORT_DRAIN, **PATIENT
    ) as server:
        async with visiting(server.address) as visitors:
            ada = await visitors.join("ada")
            with closing(sqlite3.connect(tmp_path / "presence.db")) as database:
                database.execute("BEGIN IMMEDIATE")
                await say(ada, 1)
                await server.signal(signal.SIGTERM)
                assert await server.exit_code() == 0
        assert "writes given up" in said(server)
