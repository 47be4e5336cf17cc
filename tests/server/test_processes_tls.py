"""Several processes with TLS in the server: one keeps the TLS side, another serves the board."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path

import pytest
import trio

from tests.certificates import self_signed
from tests.server.process import server_process
from tests.server.test_notify import Systemd
from tests.server.test_processes import see
from tests.server.workers import open_client
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

BOARDS, USERS = 4, 5


async def test_boards_over_tls_and_a_drain_that_the_service_manager_hears_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    certfile, keyfile = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=certfile)
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    async with server_process(
        server__processes=2,
        server__tls_certfile=certfile,
        server__tls_keyfile=keyfile,
        server__drain_timeout_s=3,
        database__url=f"sqlite:///{tmp_path}/presence.db",
    ) as server:
        with trio.fail_after(60):
            url = server.address.url
            ready = {"READY": "1", "STATUS": f"Serving {url} with 2 processes"}
            assert await systemd.next() == ready
            clients: list[RawClient] = []
            # Of these, one in two is at the process of its board by chance.
            for board in range(BOARDS):
                for user in range(USERS):
                    query = {"user_id": f"user-{user}"}
                    clients.append(
                        await open_client(server.address, f"board-{board}", query, trust)
                    )
            for client in clients:
                await see(client, {f"user-{user}" for user in range(USERS)})
            await server.signal(signal.SIGTERM)
            assert (await systemd.next())["STOPPING"] == "1"
            for client in clients:
                assert await client.end() == 1012
                await trio.aclose_forcefully(client.stream)
            assert await server.exit_code() == 0
            assert not any("killed" in line for line in server.log)
    systemd.socket.close()
