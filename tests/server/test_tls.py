"""The same port with TLS: pages and sockets go down the stream pump."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import ssl
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.server.kit import running_server, visiting

pytestmark = pytest.mark.e2e


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certfile, keyfile = folder / "cert.pem", folder / "key.pem"
    certfile.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certfile, keyfile


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
