"""The same port with TLS: pages and sockets go down the stream pump."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest
import trio

from presence_server.client import PresenceClosed, connect
from tests.certificates import self_signed
from tests.server.kit import running_server, visiting

pytestmark = pytest.mark.e2e


async def test_a_board_over_tls(tmp_path: Path) -> None:
    certfile, keyfile = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=certfile)
    async with (
        running_server(
            tmp_path, server__tls_certfile=certfile, server__tls_keyfile=keyfile
        ) as address,
        visiting(address, tls=trust) as visitors,
    ):
        assert address.url.startswith("https://")
        ada, bob = await visitors.join("ada"), await visitors.join("bob")
        assert (await ada.next())["type"] == "user:joined"
        await bob.send("presence:update", cursor={"x": 1, "y": 2})
        assert (await ada.next())["cursors"] == [["bob", 1, 2]]
        await bob.send("board:leave")
        assert (await ada.next())["type"] == "user:left"
        assert (await bob.close_code())[0] == 1000

        def fetch() -> int:
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=20, context=trust
            )
            try:
                connection.request("GET", "/boards/demo")
                return connection.getresponse().status
            finally:
                connection.close()

        assert await trio.to_thread.run_sync(fetch) == 200


async def test_the_client_says_that_a_certificate_is_not_trusted(tmp_path: Path) -> None:
    certfile, keyfile = self_signed(tmp_path)
    async with running_server(
        tmp_path, server__tls_certfile=certfile, server__tls_keyfile=keyfile
    ) as address:
        with pytest.raises(PresenceClosed) as caught:
            async with connect(address.url, "demo", user_id="ada"):
                pass
        reason = "its certificate is not trusted (self-signed certificate)"
        assert str(caught.value) == f"cannot connect to {address.host}:{address.port}: {reason}"


async def test_the_client_says_that_a_server_speaks_no_tls(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address:
        with pytest.raises(PresenceClosed, match="no TLS connection"):
            async with connect(f"https://127.0.0.1:{address.port}", "demo", user_id="ada"):
                pass


async def test_the_client_connects_over_tls_to_a_server_that_it_trusts(tmp_path: Path) -> None:
    certfile, keyfile = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=certfile)
    async with (
        running_server(
            tmp_path, server__tls_certfile=certfile, server__tls_keyfile=keyfile
        ) as address,
        connect(address.url, "demo", user_id="ada", tls_context=trust) as client,
    ):
        assert "ada" in client.users
