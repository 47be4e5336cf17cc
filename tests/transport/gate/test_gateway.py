"""What the gateway decides before anybody else is involved, and how it drains."""

from __future__ import annotations

import itertools
import json

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.transport.http.head import MAX_HEAD_BYTES
from presence_server.transport.http.refusal import REFUSAL_TIMEOUT_S
from presence_server.transport.sessions.session_link import SessionLink
from tests.transport.frames import upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect, join
from tests.transport.http.test_refusal import NO_PAGE

Clock = trio.testing.MockClock


class Answer:
    """An HTTP response."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        self.status = int(status.split(" ")[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines)
        assert len(self.headers) == len(lines), "every header once"

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])

    @property
    def is_no_page(self) -> bool:
        """Whether it has exactly the policies of a refusal."""
        return all(self.headers.get(name.lower()) == value for name, value in NO_PAGE.items())


async def answer_to(kit: GatewayUnderTest, nursery: trio.Nursery, request: bytes) -> Answer:
    client = await connect(kit, nursery)
    await client.send(request)
    return Answer(await client.rest())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD_BYTES, 400),
        (b"G" * (MAX_HEAD_BYTES + 1), 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (upgrade_request("/ws/boards/a b".replace(" ", "%20")), 400),
        (upgrade_request("/ws/boards/demo", Origin="https://evil.example"), 403),
        (upgrade_request("/elsewhere"), 404),
        (upgrade_request().replace(b"Upgrade: websocket", b"Upgrade: h2c"), 404),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /ws/boards/demo HTTP/1.1\r\nHost: a\r\n\r\n", 426),
    ],
)
async def test_what_is_refused_gets_its_status(
    autojump_clock: Clock, request_bytes: bytes, status: int
) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        with structlog.testing.capture_logs() as logs:
            answer = await answer_to(kit, nursery, request_bytes)
        assert answer.status == status
        assert answer.headers["connection"] == "close"
        assert answer.is_no_page
        assert [line["event"] for line in logs if "origin" not in line] == ["clients refused"]
        assert kit.metrics.connections_refused == 1
        assert sum(kit.metrics.refusals.counts.values()) == 1
        assert kit.gateway.connections == 0


async def test_half_a_head_and_then_the_end_is_a_bad_request(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        await client.send(b"GET / HTTP/1.1\r\nHo")
        await client.stream.send_eof()
        assert Answer(await client.rest()).status == 400


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHo", b""])
async def test_half_a_head_and_then_silence_times_out(autojump_clock: Clock, data: bytes) -> None:
    kit = GatewayUnderTest(handshake_timeout_s=7)
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        begin = trio.current_time()
        if data:
            await client.send(data)
        answer = Answer(await client.rest())
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        assert answer.is_no_page
        assert trio.current_time() >= begin + 7


async def test_half_a_head_before_a_stall_of_the_server_has_its_time_after_it(
    autojump_clock: Clock,
) -> None:
    kit = GatewayUnderTest(handshake_timeout_s=7)
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        request = upgrade_request()
        await client.send(request[:20])
        await trio.sleep(3)
        autojump_clock.jump(600)
        await trio.sleep(3)
        await client.send(request[20:])
        assert await client.read_until(b"\r\n\r\n")


async def test_a_head_in_drips_has_the_same_time_in_all(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest(handshake_timeout_s=7)
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        for byte in upgrade_request()[:8]:
            await client.send(bytes([byte]))
            await trio.sleep(1)
        assert Answer(await client.rest()).status == 408


async def test_a_peer_that_says_nothing_and_goes_gets_nothing(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        await client.stream.send_eof()
        assert await client.rest() == b""


async def test_a_peer_that_does_not_take_its_refusal_is_let_go(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open():
        ours, theirs = trio.testing.lockstep_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kit.serve_stream, theirs)
            await ours.send_all(b"\x16\x03\x01")
            begin = trio.current_time()
        assert trio.current_time() == pytest.approx(begin + REFUSAL_TIMEOUT_S)


async def test_over_the_limit_of_connections_says_when_to_come_back(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest(max_connections=2)
    async with kit.open() as nursery:
        await join(kit, nursery, "ada")
        bob = await join(kit, nursery, "bob")
        answer = await answer_to(kit, nursery, upgrade_request())
        assert (answer.status, answer.code) == (429, "TOO_MANY_CONNECTIONS")
        assert answer.is_no_page
        assert int(answer.headers["retry-after"]) > 0
        await bob.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await join(kit, nursery, "cleo")


class TestDraining:
    async def test_tells_everybody_when_to_come_back_and_ends_no_session(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ada, bob = await join(kit, nursery, "ada"), await join(kit, nursery, "bob")
            waits = itertools.count(100, 100)
            kit.gateway.drain(lambda: next(waits))
            for client, wait_ms in ((ada, 100), (bob, 200)):
                last = None
                while (seen := await client.frame()) is not None:
                    last = seen
                assert last is not None
                assert last.close.code == 1012
                assert json.loads(last.close.reason) == {"retry_after_ms": wait_ms}
                await client.stream.aclose()
            await kit.gateway.wait_until_empty()
            assert kit.store.closed == []
            assert len(kit.store.rows) == 2

    async def test_shows_nobody_that_the_others_go(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ada, bob = await join(kit, nursery, "ada"), await join(kit, nursery, "bob")
            await ada.next_of("user:joined")
            kit.gateway.drain(lambda: 0)
            for client in (bob, ada):
                seen = await client.frame()
                assert seen is not None
                assert seen.close.code == 1012

    async def test_refuses_newcomers_and_says_when_to_come_back(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            early = await connect(kit, nursery)
            await early.send(upgrade_request()[:20])
            await trio.testing.wait_all_tasks_blocked()
            kit.gateway.drain(lambda: 0)
            await early.send(upgrade_request()[20:])
            late = await answer_to(kit, nursery, upgrade_request())
            for answer in (Answer(await early.rest()), late):
                assert (answer.status, answer.code) == (503, "DRAINING")
                assert answer.is_no_page
                assert int(answer.headers["retry-after"]) > 0

    async def test_goes_on_with_the_others_when_one_brings_up_a_bug(
        self, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_go = SessionLink.let_go

        def let_go_of_all_but_ada(link: SessionLink, code: int, reason: str) -> None:
            if link.profile.user_id == "ada":
                raise RuntimeError("a bug")
            let_go(link, code, reason)

        monkeypatch.setattr(SessionLink, "let_go", let_go_of_all_but_ada)
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ada, bob = await join(kit, nursery, "ada"), await join(kit, nursery, "bob")
            await ada.next_of("user:joined")
            with structlog.testing.capture_logs() as logs:
                kit.gateway.drain(lambda: 0)
            assert [entry["event"] for entry in logs] == ["connection crashed"]
            assert await ada.end() == 1011
            assert await bob.end() == 1012

    async def test_waits_for_pages_that_are_being_sent(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            await kit.gateway.wait_until_answered()
            early = await connect(kit, nursery)
            await early.send(b"GET / HT")
            await trio.testing.wait_all_tasks_blocked()
            kit.gateway.drain(lambda: 0)
            with trio.move_on_after(1) as patience:
                await kit.gateway.wait_until_answered()
            assert patience.cancelled_caught
            await early.stream.aclose()
            await kit.gateway.wait_until_answered()

    async def test_with_nobody_there_is_done_at_once(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open():
            begin = trio.current_time()
            kit.gateway.drain(lambda: 0)
            await kit.gateway.wait_until_empty()
            assert trio.current_time() == begin

    async def test_is_done_in_the_end_though_a_peer_never_reads(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ours, theirs = trio.testing.lockstep_stream_pair()
            nursery.start_soon(kit.serve_stream, theirs)
            await RawClient(ours).upgrade("/ws/boards/demo?user_id=ada")
            kit.gateway.drain(lambda: 0)
            with trio.fail_after(60):
                await kit.gateway.wait_until_empty()
            assert kit.store.closed == []
