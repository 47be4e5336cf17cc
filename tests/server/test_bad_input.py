"""Whatever is sent gets the answer of the protocol; others on the board notice nothing."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import structlog.testing
import trio
from websockets.frames import Opcode

from presence_server.server import ListeningAddress
from tests.server.kit import PATIENCE_S, Client, Visitors, running_server, visiting
from tests.server.raw import ask, plain, talk
from tests.transport.frames import close, event, frame, text, upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

DEPTH = 60_000
DEEP = "[" * DEPTH + "]" * DEPTH
DIGITS = "9" * 500


def update(payload: str) -> str:
    return f'{{"type":"presence:update","payload":{payload}}}'


BAD_MESSAGES: list[tuple[str | bytes, str]] = [
    ("", "INVALID_JSON"),
    ("hello", "INVALID_JSON"),
    ("{", "INVALID_JSON"),
    ('{"type":"heartbeat"} {"type":"heartbeat"}', "INVALID_JSON"),
    ("{'type':'heartbeat'}", "INVALID_JSON"),
    ('\ufeff{"type":"heartbeat"}', "INVALID_JSON"),
    ("NaN", "INVALID_JSON"),
    ("\0", "INVALID_JSON"),
    ('{"type":"heart\0beat"}', "INVALID_JSON"),
    ("42", "INVALID_MESSAGE"),
    ("null", "INVALID_MESSAGE"),
    ('"heartbeat"', "INVALID_MESSAGE"),
    ('[{"type":"heartbeat"}]', "INVALID_MESSAGE"),
    ("{}", "INVALID_MESSAGE"),
    (DIGITS, "INVALID_MESSAGE"),
    ('{"type":5}', "INVALID_MESSAGE"),
    ('{"type":null,"payload":{}}', "INVALID_MESSAGE"),
    ('{"type":"heartbeat","payload":[]}', "INVALID_MESSAGE"),
    ('{"type":"heartbeat","payload":"x"}', "INVALID_MESSAGE"),
    ('{"type":"no:such:event"}', "UNKNOWN_EVENT"),
    (json.dumps({"type": "x" * 900}), "UNKNOWN_EVENT"),
    (json.dumps({"type": "x" * 50_000}), "MESSAGE_TOO_BIG"),
    (update('{"cursor":{"x":1,"x":2,"y":3}}'), "INVALID_MESSAGE"),
    (update('{"metadata":{"a":' + "[" * 32 + "]" * 32 + "}}"), "INVALID_MESSAGE"),
    ('{"type":"user:left","payload":{"user_id":"witness"}}', "UNKNOWN_EVENT"),
    (DEEP, "MESSAGE_TOO_BIG"),
    ("[" * DEPTH, "MESSAGE_TOO_BIG"),
    (f'{{"type":{DEEP}}}', "MESSAGE_TOO_BIG"),
    (f'{{"unknown":{DEEP},"type":"heartbeat"}}', "MESSAGE_TOO_BIG"),
    (update(f'{{"metadata":{{"a":{DEEP}}}}}'), "MESSAGE_TOO_BIG"),
    (update(f'{{"status":"away","unknown":{DEEP}}}'), "MESSAGE_TOO_BIG"),
    (update('{"a":' * DEPTH + "1" + "}" * DEPTH), "MESSAGE_TOO_BIG"),
    (update('{"cursor":{"x":NaN,"y":1}}'), "INVALID_JSON"),
    (update('{"metadata":{"x":-Infinity}}'), "INVALID_JSON"),
    (update('{"cursor":{"x":1e999,"y":1}}'), "INVALID_MESSAGE"),
    (update(f'{{"cursor":{{"x":{DIGITS},"y":1}}}}'), "INVALID_MESSAGE"),
    (update('{"cursor":{"x":"1","y":1}}'), "INVALID_MESSAGE"),
    (update('{"cursor":{"x":1}}'), "INVALID_MESSAGE"),
    (update('{"cursor":[1,2]}'), "INVALID_MESSAGE"),
    (update('{"status":"gone"}'), "INVALID_MESSAGE"),
    (update('{"status":5}'), "INVALID_MESSAGE"),
    (update('{"metadata":[]}'), "INVALID_MESSAGE"),
    (update('{"metadata":"x"}'), "INVALID_MESSAGE"),
    (update('{"board_id":5,"status":"away"}'), "INVALID_MESSAGE"),
    (update('{"board_id":"other","status":"away"}'), "INVALID_MESSAGE"),
    (update("{}"), "INVALID_MESSAGE"),
    (update('{"metadata":{"a":"\\ud800"}}'), "INVALID_MESSAGE"),
    (update('{"metadata":{"\\udfff":1}}'), "INVALID_MESSAGE"),
    (update('{"status":"away","unknown":"\\ud800"}'), "INVALID_MESSAGE"),
    (update('{"metadata":{"a":"x\\u0000"}}'), "INVALID_MESSAGE"),
    (update('{"status":"away","unknown":{"\\u0000":1}}'), "INVALID_MESSAGE"),
    ('{"type":"heart\\u0000beat"}', "INVALID_MESSAGE"),
    (json.dumps({"type": "presence:update", "payload": {"metadata": {"a": "x" * 3000}}}),
     "MESSAGE_TOO_BIG"),
    ('{"type":"auth:refresh","payload":{"token":"x"}}', "INVALID_MESSAGE"),
    (b"", "INVALID_MESSAGE"),
    (b"\x00\x01\x02", "INVALID_MESSAGE"),
]  # fmt: skip

BAD_FRAMES = [
    (text(b"\xff"), 1007),
    (text('{"type":"heartbeat', fin=False) + frame(Opcode.CONT, b'\xc3"}'), 1007),
    (text("x" * 300_000), 1009),
    (frame(Opcode.BINARY, b"x" * 300_000), 1009),
    (text("x" * 200_000, fin=False) + frame(Opcode.CONT, b"x" * 200_000), 1009),
    (b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0\0\0\0", 1009),
    (b"\x81\x01x", 1002),
    (frame(Opcode.CONT, b"x"), 1002),
    (b"\xf1\x80\0\0\0\0", 1002),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002),
    (frame(Opcode.CLOSE, b"\x03"), 1002),
    (frame(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
]


def tls_hello() -> bytes:
    """The first words of a client that takes the port for a TLS one."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="x")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


BAD_REQUESTS = [
    (b"hello\r\n\r\n", 400),
    (b"\r\n\r\n", 400),
    (b"\0" * 100, 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 400),
    (tls_hello(), 400),
    (plain("CONNECT x:443 HTTP/1.1"), 400),
    (plain("GET ftp://evil.example/ HTTP/1.1"), 400),
    (upgrade_request().replace(b"HTTP/1.1", b"HTTP/1.0"), 426),
    (upgrade_request("/").replace(b"HTTP/1.1", b"HTTP/1.0"), 404),
    (plain("GET /\xe9 HTTP/1.1"), 400),
    (plain("GET / HTTP/1.1", "X: a", " folded"), 400),
    (plain("GET / HTTP/1.1", "X: " + "a" * 2**20), 400),
    (plain("GET /" + "a" * 20_000 + " HTTP/1.1"), 400),
    (plain("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
    (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: y", 400),
    (b"GET", 400),
    (plain("GET /ws/boards/demo HTTP/1.1"), 426),
    (plain("GET / HTTP/1.1", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"), 404),
    (plain("GET / HTTP/1.1", "Upgrade: h2c"), 404),
    (upgrade_request("/"), 404),
    (upgrade_request("/ws/"), 404),
    (upgrade_request("/ws/elsewhere"), 404),
    (upgrade_request("/hocuspocus/demo"), 404),
    (upgrade_request("/boards/demo"), 404),
    (upgrade_request("/ws/boards/"), 400),
    (upgrade_request("/ws/boards/demo/x"), 400),
    (upgrade_request("/ws/boards/demo%2Fx"), 400),
    (upgrade_request("/ws/boards/de%20mo"), 400),
    (upgrade_request("/ws/boards/demo%00"), 400),
    (upgrade_request("/ws/boards/%ff"), 400),
    (upgrade_request("/ws/boards/%zz"), 400),
    (upgrade_request("/ws/boards/" + "a" * 10_000), 400),
    (upgrade_request("/ws/boards/de mo"), 400),
    (upgrade_request(Origin="https://evil.example"), 403),
    (upgrade_request(Origin="null"), 403),
    (upgrade_request().replace(b"Version: 13", b"Version: 8"), 400),
    (upgrade_request().replace(b"Sec-WebSocket-Key", b"X"), 400),
    (plain("GET /%ff%00 HTTP/1.1"), 404),
    (plain("GET /api/boards/%ff%00/presence HTTP/1.1"), 400),
    (plain("GET /static/../../../etc/passwd HTTP/1.1"), 404),
    (plain("GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), 404),
    (plain("BREW / HTTP/1.1"), 405),
]


@pytest.fixture
def quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No error is logged and no traceback, by us or by a library."""
    with structlog.testing.capture_logs() as entries:
        yield
    loud = [e for e in entries if e["log_level"] in ("error", "critical") or "exc_info" in e]
    assert loud == []
    assert [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []


@asynccontextmanager
async def witnessed(
    server: AbstractAsyncContextManager[ListeningAddress],
) -> AsyncIterator[tuple[ListeningAddress, Visitors, Client]]:
    """A server with a witness on the board "demo", who must have nothing to report."""
    async with server as address, visiting(address) as visitors:
        witness = await visitors.join("witness")
        # Further sessions of the same user come and go without a word to others.
        await visitors.join("mallory")
        await witness.next_of("user:joined")
        yield address, visitors, witness
        assert await witness.silence() == []
        assert (await ask(address, plain("GET /healthz HTTP/1.1"))).status == 200


async def raw_session(address: ListeningAddress, rest: bytes = b"") -> RawClient:
    """Another session of mallory's, over a raw connection."""
    visitor = await talk(address)
    await visitor.upgrade("/ws/boards/demo?user_id=mallory", rest)
    await visitor.next_of("board:joined")
    return visitor


async def test_bad_messages_get_their_error_and_the_session_goes_on(
    tmp_path: Path, quiet_logs: None
) -> None:
    # A long message counts as several: the rate is not the subject here.
    server = running_server(tmp_path, limits__max_message_bytes=2**19, limits__burst=100_000)
    async with witnessed(server) as (_, visitors, witness):
        client = await visitors.join("mallory")
        for number, (message, code) in enumerate(BAD_MESSAGES):
            if number % 10 == 9:  # Twenty in ten seconds would be too many for one.
                client = await visitors.join("mallory")
            await client.socket.send_message(message)
            error = await client.next()
            assert (error["type"], error["code"]) == ("error", code), message[:80]
            assert len(str(error["message"])) < 300
            assert await client.silence() == [], message[:80]
            assert await witness.silence() == [], message[:80]


async def test_numbers_of_any_length_do_no_harm_where_they_are_ignored(
    tmp_path: Path, quiet_logs: None
) -> None:
    async with witnessed(running_server(tmp_path)) as (_, visitors, _witness):
        client = await visitors.join("mallory")
        for message in (
            f'{{"type":"heartbeat","payload":{{"n":{DIGITS}}}}}',
            f'{{"n":-{DIGITS},"type":"heartbeat"}}',
        ):
            await client.socket.send_message(message)
            assert (await client.next())["type"] == "heartbeat:ack"


async def test_bad_frames_close_with_the_code_of_the_rfc_and_detach(
    tmp_path: Path, quiet_logs: None
) -> None:
    server = running_server(
        tmp_path, limits__max_message_bytes=2**18, limits__max_binary_bytes=2**18
    )
    async with witnessed(server) as (
        address,
        _,
        witness,
    ):
        for data, code in BAD_FRAMES:
            visitor = await raw_session(address)
            async with visitor.stream:
                with trio.fail_after(PATIENCE_S):
                    try:
                        await visitor.send(data)
                        await visitor.send(event("heartbeat"))
                    except trio.BrokenResourceError:
                        pass  # It did not wait for the end of it.
                    assert await visitor.end() == code, data[:80]
            assert await witness.silence() == [], data[:80]


async def test_bad_requests_get_their_status(tmp_path: Path, quiet_logs: None) -> None:
    async with witnessed(running_server(tmp_path)) as (address, _, witness):
        for request, status in BAD_REQUESTS:
            is_whole = request.endswith(b"\r\n\r\n")
            answer = await ask(address, request, half_closes=not is_whole)
            assert answer.status == status, request[:200]
        assert await witness.silence() == []


async def test_what_can_never_be_a_request_is_refused_without_waiting_for_the_rest(
    tmp_path: Path, quiet_logs: None
) -> None:
    async with witnessed(running_server(tmp_path, limits__handshake_timeout_s=3600)) as (
        address,
        _,
        _witness,
    ):
        for beginning in (tls_hello(), b"PRI * HTTP/2.0\r\n", b"\0", b"G" * 20_000):
            assert (await ask(address, beginning)).status == 400


async def test_half_a_request_and_then_silence_times_out(tmp_path: Path, quiet_logs: None) -> None:
    async with witnessed(running_server(tmp_path, limits__handshake_timeout_s=0.2)) as (
        address,
        _,
        _witness,
    ):
        for beginning in (b"GET / HTTP/1.1\r\nHo", b"G"):
            assert (await ask(address, beginning)).status == 408


async def test_a_peer_that_goes_without_a_word_leaves_nothing_behind(
    tmp_path: Path, quiet_logs: None
) -> None:
    async with witnessed(running_server(tmp_path)) as (address, _, _witness):
        for data in (b"", b"GET / HT", upgrade_request("/ws/boards/demo?user_id=mallory")):
            visitor = await talk(address)
            if data:
                await visitor.send(data)
            await visitor.stream.aclose()


async def test_frames_sent_together_with_the_request_are_an_ordinary_session(
    tmp_path: Path, quiet_logs: None
) -> None:
    async with (
        running_server(tmp_path) as address,
        visiting(address) as visitors,
    ):
        witness = await visitors.join("witness")
        eager = await talk(address)
        async with eager.stream:
            data = event("presence:update", status="away") + event("board:leave") + close(1000)
            with trio.fail_after(PATIENCE_S):
                await eager.upgrade("/ws/boards/demo?user_id=eager", data)
                assert await eager.end() == 1000
        # Admission waits for the row; who leaves before that was never there.
        assert await witness.silence() == []
        patient = await talk(address)
        async with patient.stream:
            with trio.fail_after(PATIENCE_S):
                data = event("presence:update", status="away")
                await patient.upgrade("/ws/boards/demo?user_id=patient", data)
                joined = await patient.next_of("board:joined")
                me = joined["self"]
                assert isinstance(me, dict)
                assert me["status"] == "away"
                assert (await witness.next_of("user:joined"))["user"] == me
