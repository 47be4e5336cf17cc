"""A forged or foreign token joins no board, however it was made."""

from __future__ import annotations

import base64
import hmac
import json
import signal
import time
from hashlib import sha256
from pathlib import Path

import jwt
import pytest
import trio

from presence_server.server import ListeningAddress
from tests.keys import SECRET, claims, private_pem, public_pem, token
from tests.server.kit import PATIENCE_S, running_server
from tests.server.process import server_process
from tests.server.raw import ask, plain, talk
from tests.transport.frames import upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

AUDIENCE = "boards"
ANOTHER_SECRET = "another secret, also long enough for HMAC-SHA256"


def encoded(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def hand_made(header: dict[str, object], key: bytes, payload: object = None) -> str:
    """An HS256 signature under any header: PyJWT would refuse to write some of these."""
    signed = f"{encoded(header)}.{encoded(payload or claims(aud=AUDIENCE))}"
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), sha256))}"


def good(**more: object) -> str:
    return jwt.encode(claims(aud=AUDIENCE, **more), private_pem("RS256"), "RS256")


def forged() -> dict[str, str]:
    """Tokens that must not be taken, by what is wrong with them."""
    payload = encoded(claims(aud=AUDIENCE))
    hs256: dict[str, object] = {"alg": "HS256", "typ": "JWT"}
    rsa = good()
    head, body, signature = rsa.split(".")
    return {
        "alg none": f"{encoded({'alg': 'none'})}.{payload}.",
        "alg None": f"{encoded({'alg': 'nOnE'})}.{payload}.",
        "alg none, old signature": f"{encoded({'alg': 'none'})}.{body}.{signature}",
        "HS256 with the public key": hand_made(hs256, public_pem("RS256").encode()),
        "HS256 with the bare public key": hand_made(hs256, public_pem("RS256").strip().encode()),
        "HS256 with an empty key": hand_made(hs256, b""),
        "another key": jwt.encode(claims(aud=AUDIENCE), private_pem("ES256"), "ES256"),
        "another secret": token(aud=AUDIENCE, kid=None),
        "no signature": f"{head}.{body}.",
        "a changed payload": f"{head}.{encoded(claims('root', aud=AUDIENCE))}.{signature}",
        "expired": good(exp=int(time.time()) - 1),
        "without exp": good(exp=None),
        "not yet": good(nbf=int(time.time()) + 3600),
        "wrong audience": jwt.encode(claims(aud="other"), private_pem("RS256"), "RS256"),
        "without audience": jwt.encode(claims(), private_pem("RS256"), "RS256"),
        "unknown crit": hand_made(hs256 | {"crit": ["x"], "x": 1, "kid": "now"}, SECRET.encode()),
        "b64 crit": hand_made(hs256 | {"crit": ["b64"], "b64": False, "kid": "now"},
                              SECRET.encode()),
        "kid of nobody": hand_made(hs256 | {"kid": "never"}, SECRET.encode()),
        "kid of another key": hand_made(hs256 | {"kid": "old"}, SECRET.encode()),
        "kid that is a path": hand_made(hs256 | {"kid": "../../dev/null"}, b""),
        "kid that is a query": hand_made(hs256 | {"kid": "' OR '1'='1"}, b"1"),
        "kid that is a list": hand_made(hs256 | {"kid": ["now"]}, SECRET.encode()),
        "jwk of its own": hand_made(hs256 | {"jwk": {"kty": "oct", "k": "AAAA"}}, b"\0\0\0"),
        "jku elsewhere": hand_made(hs256 | {"jku": "http://127.0.0.1:1/keys"}, b"x" * 32),
        "sub that is no text": jwt.encode(claims(aud=AUDIENCE) | {"sub": "\0"},
                                          private_pem("RS256"), "RS256"),
        "five parts": f"{head}.{body}.{signature}.x.y",
        "a deep payload": hand_made(hs256 | {"kid": "now"}, SECRET.encode(),
                                    ("[" * 5000 + "]" * 5000).encode()),
    }  # fmt: skip


def carriers(shown: str) -> list[bytes]:
    """A handshake with the token in each place where it may be."""
    return [
        upgrade_request(f"/ws/boards/demo?token={shown}"),
        upgrade_request("/ws/boards/demo", Authorization=f"Bearer {shown}"),
        upgrade_request(
            "/ws/boards/demo", **{"Sec-WebSocket-Protocol": f"presence.v1, bearer.{shown}"}
        ),
    ]


async def said(address: ListeningAddress, request: bytes) -> RawClient:
    client = await talk(address)
    await client.send(request)
    head = await client.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    return client


async def test_no_forged_token_lets_anybody_in_and_none_is_logged(tmp_path: Path) -> None:
    kept = forged()
    async with server_process(
        auth__mode="jwt",
        auth__jwt_public_key=public_pem("RS256"),
        auth__jwt_keys=json.dumps({"now": SECRET, "old": ANOTHER_SECRET}),
        auth__jwt_audience=AUDIENCE,
        database__url=f"sqlite:///{tmp_path / 'presence.db'}",
        logging__level="debug",
    ) as server:
        with trio.fail_after(2 * PATIENCE_S):
            for shown in (good(), hand_made({"alg": "HS256", "kid": "now"}, SECRET.encode())):
                for request in carriers(shown):
                    client = await said(server.address, request)
                    async with client.stream:
                        await client.next_of("board:joined")
            for name, shown in kept.items():
                for request in carriers(shown):
                    client = await said(server.address, request)
                    async with client.stream:
                        assert (await client.next())["code"] == "UNAUTHORIZED", name
                        assert await client.end() == 4401, name
                answer = await ask(
                    server.address,
                    plain(
                        "GET /api/boards/demo/presence HTTP/1.1", f"Authorization: Bearer {shown}"
                    ),
                )
                assert answer.status == 401, name
        await server.signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        log = "\n".join(server.log)
    parts = {part for shown in (*kept.values(), good()) for part in shown.split(".")}
    assert [part for part in parts if len(part) > 20 and part in log] == []
    assert "Traceback" not in log


async def test_anothers_session_is_not_resumed_and_its_owner_keeps_it(tmp_path: Path) -> None:
    async with running_server(tmp_path, auth__mode="jwt", auth__jwt_secret=SECRET) as address:
        with trio.fail_after(PATIENCE_S):
            ada = await said(address, upgrade_request(f"/ws/boards/demo?token={token('ada')}"))
            session_id = (await ada.next_of("board:joined"))["session_id"]
            target = f"/ws/boards/demo?token={token('eve')}&session_id={session_id}&user_id=ada"
            eve = await said(address, upgrade_request(target))
            joined = await eve.next_of("board:joined")
            assert joined["resumed"] is False
            assert joined["session_id"] != session_id
            assert joined["self"]["user_id"] == "eve"  # type: ignore[index]
            await ada.next_of("user:joined")
            assert await ada.answers() == []
            for client in (ada, eve):
                await client.stream.aclose()


HOST = "boards.example"
ORIGINS = [
    (f"https://{HOST}", 101),
    (f"http://{HOST}", 101),
    ("https://allowed.example", 101),
    ("https://evil.example", 403),
    ("null", 403),
    ("", 403),
    (f"https://{HOST}.evil.example", 403),
    (f"https://evil-{HOST}", 403),
    (f"https://evil.{HOST}", 403),
    (f"https://{HOST}:444", 403),
    (f"https://evil.example/{HOST}", 403),
    (f"https://evil.example#{HOST}", 403),
    (f"https://{HOST}@evil.example", 403),
    (f"file://{HOST}", 403),
    (f"//{HOST}", 403),
    (HOST, 403),
    ("https://allowed.example.evil.example", 403),
    ("https://sub.allowed.example", 403),
    ("http://allowed.example", 403),
    ("https://allowed.example/", 403),
    (f"https://{HOST} https://evil.example", 403),
]


async def test_only_pages_of_this_host_and_those_allowed_may_connect(tmp_path: Path) -> None:
    async with running_server(tmp_path, auth__allowed_origins=["https://allowed.example"]) as found:
        request = upgrade_request().replace(b"Host: test", f"Host: {HOST}".encode())
        with trio.fail_after(PATIENCE_S):
            assert await status_of(found, request) == 101, "no browser, no Origin"
            for origin, status in ORIGINS:
                line = f"Origin: {origin}\r\n\r\n".encode()
                assert await status_of(found, request[:-2] + line) == status, origin
            twice = f"Origin: https://{HOST}\r\nOrigin: https://evil.example\r\n\r\n".encode()
            assert await status_of(found, request[:-2] + twice) == 403


async def status_of(address: ListeningAddress, request: bytes) -> int:
    client = await talk(address)
    async with client.stream:
        await client.send(request)
        return int((await client.read_until(b"\r\n\r\n")).split(b" ")[1])
