"""Requests made to confuse a server: one answer, and nobody else notices.

Most of what can be said in one head is in ``tests/server/test_bad_input.py``; here are
those that take more than a head, and all of it beside fifty others on a real process.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from tests.hostile.kit import undisturbed
from tests.server.kit import PATIENCE_S
from tests.server.process import server_process
from tests.server.raw import plain, talk
from tests.server.test_bad_input import BAD_REQUESTS
from tests.transport.frames import close, event, frame, upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


def h2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def h2_get(path: bytes) -> bytes:
    """An HTTP/2 connection's beginning that asks for a path, in HPACK literals."""
    block = b"\x82\x86" + b"\x04" + bytes([len(path)]) + path + b"\x01\x01x"
    return PREFACE + h2_frame(4, 0, 0, b"") + h2_frame(1, 5, 1, block)


def request(first_line: str, *lines: str, body: bytes = b"") -> bytes:
    return plain(first_line, *lines) + body


H2C = plain(
    "GET / HTTP/1.1",
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
)

HTTP2 = [
    (h2_get(b"/"), 400),
    (h2_get(b"/\xff\xfe"), 400),
    (h2_get("/caf\u00e9".encode()), 400),
    (H2C + h2_get(b"/\xff"), 404),
    (plain("GET / HTTP/1.1", "Upgrade: h2c", "HTTP2-Settings: \xff"), 404),
]

# Two readers could find different ends to these, or different requests in them.
AMBIGUOUS = [
    request(
        "POST / HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    request(
        "POST / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 0", body=b"0\r\n\r\n"
    ),
    request("POST / HTTP/1.1", "Content-Length: 0", "Content-Length: 34"),
    request("POST / HTTP/1.1", "Content-Length: 3", "Content-Length: 3", body=b"abc"),
    request("POST / HTTP/1.1", "Content-Length: 0, 34"),
    request("POST / HTTP/1.1", "Content-Length: +0"),
    request("POST / HTTP/1.1", "Content-Length: -1"),
    request("POST / HTTP/1.1", "Content-Length: 0x22"),
    request("POST / HTTP/1.1", "Content-Length: 3_4"),
    request("POST / HTTP/1.1", "Content-Length: 18446744073709551616"),
    request("POST / HTTP/1.1", "Content-Length: " + "0" * 5000),
    request("POST / HTTP/1.1", "Content-Length:"),
    request("POST / HTTP/1.1", "Content-Length: \u00b2"),
    request("POST / HTTP/1.1", "Content-Length : 0"),
    request("POST / HTTP/1.1", "Content_Length: 0", " Content-Length: 34"),
    request("POST / HTTP/1.1", "Transfer-Encoding : chunked"),
    request("POST / HTTP/1.1", "Transfer-Encoding: xchunked"),
    request("POST / HTTP/1.1", "Transfer-Encoding: \x0bchunked"),
    request("POST / HTTP/1.1", "Transfer-Encoding: chunked, identity"),
    request("POST / HTTP/1.1", "Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
    request("POST / HTTP/1.1", "Transfer-Encoding:", " chunked"),
    request("POST / HTTP/1.1", "X: a\rTransfer-Encoding: chunked"),
    request("POST / HTTP/1.1", "X: a\nTransfer-Encoding: chunked"),
    request("POST / HTTP/1.1", "X: a\0", "Content-Length: 0"),
    request("GET / HTTP/1.1", "Host: y"),
    request("GET / HTTP/1.1 ", "X: y"),
    request("GET  / HTTP/1.1"),
    request("GET\t/ HTTP/1.1"),
    request(" GET / HTTP/1.1"),
    request("GET / HTTP/1.1\rX: y"),
    request("GET http://x@y/ HTTP/1.1"),
    request("POST / HTTP/1.0", "Transfer-Encoding: chunked"),
    request("OPTIONS * HTTP/1.1"),
    request("CONNECT x:443 HTTP/1.1"),
]

# A whole request, and another one behind it that a pool of connections might mix up.
PAIRS = [
    (request("GET /healthz HTTP/1.1"), 200),
    (request("GET /healthz HTTP/1.0"), 200),
    (request("GET /healthz HTTP/1.0", "Connection: keep-alive"), 200),
    (request("GET http://board.example/healthz HTTP/1.1"), 200),
    (request("POST http://board.example/healthz HTTP/1.1", "Content-Length: 3", body=b"abc"), 405),
    (request("GET /healthz HTTP/1.1", "Connection: keep-alive"), 200),
    (request("POST /healthz HTTP/1.1", "Content-Length: 3", body=b"abc"), 405),
    (request("POST /healthz HTTP/1.1", "Content-Length: 0"), 405),
    (request("GET /healthz HTTP/1.1", "Content-Length: 3", body=b"abc"), 200),
    (request("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 411),
    (request("GET / HTTP/1.1", "Transfer-Encoding: chunked", body=b"ffffffffffffffff1\r\n"), 411),
    (upgrade_request().replace(b"Version: 13", b"Version: 8"), 400),
    (upgrade_request("/elsewhere"), 404),
    (upgrade_request(Origin="https://evil.example"), 403),
    (upgrade_request("/ws/boards/%00"), 400),
]

# What a WebSocket may be offered is passed over, well formed or not: nothing is negotiated.
EXTENSIONS = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits=99; client_max_window_bits",
    "permessage-deflate; server_max_window_bits",
    ";;;",
    ",",
    "=",
    '"',
    'x; y="',
    "permessage-deflate, " * 500,
    "\xff\xfe",
    "x" * 8000,
]


async def answer_to(address: ListeningAddress, data: bytes) -> bytes:
    """Everything that comes back, up to the server's end of the connection."""
    client = await talk(address)
    async with client.stream:
        with trio.fail_after(PATIENCE_S):
            await client.send(data)
            return await client.rest()


def statuses(answer: bytes) -> list[int]:
    """The status of every response in what came back."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


async def test_no_request_of_these_disturbs_the_process_or_fifty_others(tmp_path: Path) -> None:
    async with (
        server_process(database__url=f"sqlite:///{tmp_path / 'presence.db'}") as server,
        undisturbed(server.address),
    ):
        address = server.address
        for data, status in HTTP2:
            assert statuses(await answer_to(address, data)) == [status], data
        for data in AMBIGUOUS:
            assert statuses(await answer_to(address, data + SMUGGLED)) == [400], data
        # More than once: what Hypercorn did with the second request was a matter of luck.
        for data, status in PAIRS * 3:
            answer = await answer_to(address, data + SMUGGLED)
            assert statuses(answer) == [status], data
            assert b"presence_connections" not in answer
        for data, status in BAD_REQUESTS:
            if data.endswith(b"\r\n\r\n"):
                assert statuses(await answer_to(address, data)) == [status], data[:200]
        await offer_extensions(address)
        await send_more_than_a_head(address)
        # The operator learns which origins were refused, and nothing else is worth a warning.
        warnings = [line for line in server.log if '"level": "info"' not in line]
        assert all('"origin": ' in line for line in warnings), warnings


async def offer_extensions(address: ListeningAddress) -> None:
    for offer in EXTENSIONS:
        client = await talk(address)
        async with client.stream:
            with trio.fail_after(PATIENCE_S):
                target = "/ws/boards/demo?user_id=mallory"
                await client.send(upgrade_request(target, Sec_WebSocket_Extensions=offer))
                head = await client.read_until(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 101 "), offer[:100]
                assert b"extensions" not in head.lower()
                await client.next_of("board:joined")
                assert await client.answers() == []


async def send_more_than_a_head(address: ListeningAddress) -> None:
    """Frames, and what are none, together with the upgrade."""
    target = "/ws/boards/demo?user_id=mallory"
    for rest, code in (
        (close(1000), 1000),
        (event("heartbeat") * 3 + close(1001), 1001),
        (event("heartbeat") + b"\xff" * 100, 1002),
        (SMUGGLED, 1002),
        (frame(8)[:1], None),  # type: ignore[arg-type]
    ):
        for head in (upgrade_request(target), upgrade_request(target, Content_Length="34")):
            await _one_session(await talk(address), head + rest, code)


async def _one_session(client: RawClient, data: bytes, code: int | None) -> None:
    async with client.stream:
        with trio.fail_after(PATIENCE_S):
            await client.send(data)
            assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            if code is None:
                await client.stream.send_eof()
            assert await client.end() == code
