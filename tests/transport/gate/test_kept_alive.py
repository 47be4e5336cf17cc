"""Connections that stay open after an answer: in the pump over real sockets, and over streams."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import trio
import trio.testing
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from presence_server.transport.gate import idle_connections, pump_request
from presence_server.transport.gate.idle_connections import IDLE_S, PROXY_IDLE_S
from presence_server.transport.http.ready_answers import AnswerFinder
from presence_server.transport.wire.pump import Pump, pump_is_available
from presence_server.web.static_site import StaticAnswer
from tests.limits import address_limits
from tests.server.raw import Answer, plain, read_answer
from tests.transport.frames import upgrade_request
from tests.transport.gate.test_pump_request import knock
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, listen

pytestmark = pytest.mark.skipif(not pump_is_available(), reason="needs epoll")

PATIENCE_S = 20.0
FILE = plain("GET /file HTTP/1.1")
LARGE = plain("GET /large HTTP/1.1")
BODIES = {"/file": b"content", "/large": bytes(range(256)) * 5_000}


class Files(AnswerFinder):
    """A file, and one that fits no buffer of the system."""

    def find(
        self, method: str, path: str, values_of: Callable[[str], Sequence[str]]
    ) -> StaticAnswer | None:
        if path not in BODIES or method not in ("GET", "HEAD"):
            return None
        if values_of("if-none-match"):
            return StaticAnswer(304, [("ETag", '"1"')], b"")
        return StaticAnswer(200, [("Content-Type", "text/plain")], BODIES[path])


async def web(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The web application, which has everything else."""
    assert scope["type"] == "http"
    length = (b"content-length", b"15")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": b"the application", "more_body": False})


def kit_with_files(**limits: object) -> GatewayUnderTest:
    return GatewayUnderTest(pump=Pump, answers=Files(), web=web, **limits)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
async def _patience() -> AsyncIterator[None]:
    with trio.fail_after(PATIENCE_S):
        yield


async def ask(client: RawClient, request: bytes, *, has_body: bool = True) -> Answer:
    await client.send(request)
    return await read_answer(client, has_body=has_body)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.testing.wait_all_tasks_blocked(0.01)


async def test_requests_for_files_share_a_connection() -> None:
    kit = kit_with_files()
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        client = await knock(kit, address)
        for _ in range(3):
            answer = await ask(client, FILE)
            assert (answer.status, answer.body) == (200, b"content")
            assert answer.headers["content-length"] == "7"
            assert answer.headers["date"].endswith(" GMT")
            assert "connection" not in answer.headers
        head = await ask(client, plain("HEAD /file HTTP/1.1"), has_body=False)
        assert head.headers["content-length"] == "7"
        unchanged = await ask(client, plain("GET /file HTTP/1.1", 'If-None-Match: "1"'))
        assert unchanged.status == 304
        assert {"content-type", "content-length"}.isdisjoint(unchanged.headers)
        assert (await ask(client, plain("GET /file?v=2 HTTP/1.1"))).status == 200
        assert (await ask(client, plain("GET /file HTTP/1.1", "Content-Length: 0"))).status == 200


async def test_a_websocket_on_a_connection_that_was_kept_is_one_like_any_other() -> None:
    """A proxy with a pool sends an upgrade down whichever connection is free."""
    kit = kit_with_files()
    async with kit.open() as nursery:
        client = await knock(kit, await listen(kit, nursery))
        await ask(client, FILE)
        await client.upgrade("/ws/boards/demo?user_id=ada")
        assert (await client.next_of("board:joined"))["type"] == "board:joined"
        assert await client.answers() == []
        assert kit.gateway.connections == 1
        await kit.gateway.wait_until_answered()


async def test_hypercorn_answers_one_request_and_closes() -> None:
    kit = kit_with_files()
    async with kit.open() as nursery:
        client = await knock(kit, await listen(kit, nursery))
        await ask(client, FILE)
        await client.send(plain("GET /other HTTP/1.1") + upgrade_request())
        answer = await read_answer(client)
        assert answer.headers["connection"] == "close"
        assert answer.body == b"the application"
        assert kit.gateway.connections == 0


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (plain("GET /file HTTP/1.1", "Connection: close"), 200),
        (plain("GET /file HTTP/1.1", "Connection: keep-alive, CLOSE"), 200),
        (plain("GET /file HTTP/1.0"), 200),
        (plain("GET /file HTTP/1.0", "Connection: keep-alive"), 200),
        # A body is nothing that a file has a use for; it goes where all bodies go.
        (plain("GET /file HTTP/1.1", "Content-Length: 3") + b"abc", 200),
        (plain("POST /file HTTP/1.1", "Content-Length: 3") + b"abc", 200),
        (plain("GET /file HTTP/1.1", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
        (plain("GET /file HTTP/1.1", "Content-Length: 3", "Content-Length: 4"), 400),
        (plain("GET /file HTTP/1.1", "Upgrade: h2c", "Connection: upgrade"), 404),
        (upgrade_request("/file"), 404),
        (b"nonsense\r\n\r\n", 400),
    ],
)
async def test_what_is_after_these_is_not_read(request_bytes: bytes, status: int) -> None:
    kit = kit_with_files()
    async with kit.open() as nursery:
        client = await knock(kit, await listen(kit, nursery))
        await ask(client, FILE)
        await client.send(request_bytes + FILE)
        data = await client.rest()
        assert data.startswith(b"HTTP/1.1 %d " % status)
        assert len(re.findall(rb"HTTP/1.1 \d", data)) == 1
        assert b"\r\nconnection: close\r\n" in data.lower()


async def test_requests_that_come_together_are_answered_in_order_and_one_a_wake() -> None:
    kit = kit_with_files()
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        client, other = await knock(kit, address), await knock(kit, address)
        number = 0
        async with trio.open_nursery() as senders:
            senders.start_soon(client.send, FILE * 300 + plain("HEAD /file HTTP/1.1") + LARGE)
            for number in range(300):
                assert (await read_answer(client)).body == b"content"
                if number == 10:
                    assert (await ask(other, FILE)).body == b"content"
        assert (await read_answer(client, has_body=False)).status == 200
        assert (await read_answer(client)).body == BODIES["/large"]
        await client.send(FILE[:10])
        await trio.testing.wait_all_tasks_blocked(0.01)
        await client.send(FILE[10:] + upgrade_request("/ws/boards/demo?user_id=ada"))
        await read_answer(client)
        assert b" 101 " in await client.read_until(b"\r\n\r\n")


async def test_half_of_the_next_head_is_given_up_in_time() -> None:
    kit = kit_with_files(handshake_timeout_s=0.1)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        for begin in (FILE + b"GET /fi", FILE):
            client = await knock(kit, address, begin)
            await read_answer(client)
            if begin == FILE:
                await trio.sleep(0.2)  # Longer than a head may take: it has not begun.
                await client.send(b"GET /fi")
            assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


class TestSlowReaders:
    async def test_get_the_whole_answer_and_hold_nobody_up(self) -> None:
        kit = kit_with_files()
        async with kit.open() as nursery:
            address = await listen(kit, nursery, send_buffer=4096)
            slow = await knock(kit, address, LARGE + FILE)
            await until(lambda: len(kit.gateway._requests.unread) == 1)
            assert (await ask(await knock(kit, address), FILE)).body == b"content"
            assert (await read_answer(slow)).body == BODIES["/large"]
            assert (await read_answer(slow)).body == b"content"
            assert len(kit.gateway._requests.unread) == 0

    async def test_that_do_not_read_are_let_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pump_request, "ANSWER_TIMEOUT_S", 0.1)
        kit = kit_with_files()
        async with kit.open() as nursery:
            address = await listen(kit, nursery, send_buffer=4096)
            await knock(kit, address, LARGE)
            await until(lambda: kit.gateway._requests.count == 1)
            await kit.gateway.wait_until_answered()
            assert len(kit.gateway._requests.unread) == 0

    async def test_that_go_away_leave_nothing_behind(self) -> None:
        kit = kit_with_files()
        async with kit.open() as nursery:
            address = await listen(kit, nursery, send_buffer=4096)
            slow = await knock(kit, address, LARGE)
            await until(lambda: len(kit.gateway._requests.unread) == 1)
            await slow.stream.aclose()
            await kit.gateway.wait_until_answered()
            assert len(kit.gateway._requests.unread) == 0

    async def test_over_their_share_are_served_like_other_requests(self) -> None:
        kit = kit_with_files()
        kit.gateway._requests.unread._share = 1
        async with kit.open() as nursery:
            address = await listen(kit, nursery, send_buffer=4096)
            await knock(kit, address, LARGE)
            await until(lambda: len(kit.gateway._requests.unread) == 1)
            answer = await ask(await knock(kit, address), FILE)
            assert answer.body == b"the application"
            assert answer.headers["connection"] == "close"


class TestWaiting:
    async def test_ends_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idle_connections, "IDLE_S", 0.1)
        kit = kit_with_files()
        async with kit.open() as nursery:
            client = await knock(kit, await listen(kit, nursery))
            await ask(client, FILE)
            assert await client.rest() == b""
            await kit.gateway.wait_until_answered()

    async def test_is_longer_for_a_proxy_than_the_proxy_itself_waits(self) -> None:
        assert PROXY_IDLE_S > 120 > IDLE_S

    async def test_ends_with_the_peer(self) -> None:
        kit = kit_with_files()
        async with kit.open() as nursery:
            client = await knock(kit, await listen(kit, nursery))
            await ask(client, FILE)
            await client.stream.send_eof()
            assert await client.rest() == b""
            await kit.gateway.wait_until_answered()
            assert len(kit.gateway._requests.idle) == 0

    async def test_takes_no_room_from_a_newcomer_of_the_same_address(self) -> None:
        kit = kit_with_files(addresses=address_limits(connections_per_ip=2))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            clients = [await knock(kit, address) for _ in range(2)]
            for client in clients:
                await ask(client, FILE)
            newcomer = await knock(kit, address)
            assert (await ask(newcomer, FILE)).status == 200
            assert await clients[0].rest() == b""
            assert (await ask(clients[1], FILE)).status == 200
            assert kit.metrics.connections_refused == 0

    async def test_takes_no_room_on_a_full_server(self) -> None:
        kit = kit_with_files(max_connections=2)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            clients = [await knock(kit, address) for _ in range(2)]
            for client in clients:
                await ask(client, FILE)
            assert (await ask(await knock(kit, address), FILE)).status == 200
            assert await clients[0].rest() == b""

    async def test_is_not_for_all_connections_of_one_address(self) -> None:
        kit = kit_with_files()
        kit.gateway._requests.idle._share = 2
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            clients = [await knock(kit, address) for _ in range(3)]
            for client in clients:
                await ask(client, FILE)
            assert await clients[0].rest() == b""
            for client in clients[1:]:
                assert (await ask(client, FILE)).status == 200

    async def test_ends_with_a_drain_which_waits_for_nobody(self) -> None:
        kit = kit_with_files()
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            idle, half = await knock(kit, address), await knock(kit, address)
            await ask(idle, FILE)
            await ask(half, FILE)
            await half.send(FILE[:-2])
            await until(lambda: len(kit.gateway._requests.idle) == 1)
            kit.gateway.refuse_newcomers()
            assert await idle.rest() == b""
            await half.send(FILE[-2:])
            answer = await read_answer(half)
            assert (answer.headers["connection"], answer.body) == ("close", b"content")
            await half.stream.aclose()
            await kit.gateway.wait_until_answered()


class TestLimits:
    async def test_of_the_rate_count_each_request(self) -> None:
        limits = address_limits(connects_burst=3, connects_per_s=0.001)
        kit = kit_with_files(addresses=limits)
        async with kit.open() as nursery:
            client = await knock(kit, await listen(kit, nursery))
            for _ in range(3):
                assert (await ask(client, FILE)).status == 200
            refused = await ask(client, FILE)
            assert refused.status == 429
            assert int(refused.headers["retry-after"]) > 0
            assert await client.rest() == b""

    async def test_count_the_address_that_a_proxy_names_for_each_request(self) -> None:
        limits = address_limits(
            connects_burst=1,
            connects_per_s=0.001,
            connections_per_ip=1,
            trusted_proxies=[ipaddress.ip_network("127.0.0.0/8")],
        )
        kit = kit_with_files(addresses=limits)
        async with kit.open() as nursery:
            client = await knock(kit, await listen(kit, nursery))
            for number in range(3):
                forwarded = f"X-Forwarded-For: 192.0.2.{number}"
                assert (await ask(client, plain("GET /file HTTP/1.1", forwarded))).status == 200
            again = await ask(client, plain("GET /file HTTP/1.1", "X-Forwarded-For: 192.0.2.1"))
            assert again.status == 429
            other = await knock(kit, await listen(kit, nursery))
            upgrade = upgrade_request("/ws/boards/demo?user_id=ada", X_Forwarded_For="192.0.2.9")
            await other.send(upgrade.replace(b"X_Forwarded_For", b"X-Forwarded-For"))
            assert b" 101 " in await other.read_until(b"\r\n\r\n")


class TestOverStreams:
    """TLS, and platforms without epoll."""

    async def test_requests_share_a_connection_and_end_with_a_websocket(self) -> None:
        kit = GatewayUnderTest(answers=Files(), web=web)
        async with kit.open() as nursery:
            client = await knock(kit, await listen(kit, nursery))
            for _ in range(3):
                assert (await ask(client, FILE)).body == b"content"
            await client.send(FILE * 3 + LARGE)
            for _ in range(3):
                assert (await read_answer(client)).body == b"content"
            assert (await read_answer(client)).body == BODIES["/large"]
            await client.upgrade("/ws/boards/demo?user_id=ada")
            await client.next_of("board:joined")
            await kit.gateway.wait_until_answered()

    async def test_the_last_answer_is_read_whole_and_hypercorn_closes(self) -> None:
        kit = GatewayUnderTest(answers=Files(), web=web)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            for request in (
                plain("GET /large HTTP/1.1", "Connection: close"),
                plain("GET /other HTTP/1.1"),
            ):
                client = await knock(kit, address)
                await ask(client, FILE)
                await client.send(request + FILE)
                answer = await read_answer(client)
                assert answer.headers["connection"] == "close"
                assert answer.body in (BODIES["/large"], b"the application")

    async def test_those_that_wait_give_way_and_end_with_a_drain(self) -> None:
        kit = GatewayUnderTest(answers=Files(), addresses=address_limits(connections_per_ip=2))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            clients = []
            for _ in range(3):
                clients.append(await knock(kit, address))
                assert (await ask(clients[-1], FILE)).status == 200
            assert await clients[0].rest() == b""
            kit.gateway.refuse_newcomers()
            for client in clients[1:]:
                assert await client.rest() == b""
            await kit.gateway.wait_until_answered()

    async def test_those_that_do_not_come_back_are_let_go(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(idle_connections, "IDLE_S", 0.1)
        kit = GatewayUnderTest(answers=Files())
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            client, gone = await knock(kit, address), await knock(kit, address)
            for each in (client, gone):
                await ask(each, FILE)
            await gone.stream.aclose()
            assert await client.rest() == b""
            await kit.gateway.wait_until_answered()
