"""The first moments of a TCP connection: in the pump, without a task, within limits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from unittest.mock import Mock

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.transport.gate import decision, pump_request
from presence_server.transport.wire.pump import Pump, pump_is_available
from tests.limits import address_limits
from tests.transport.frames import upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, call, listen

pytestmark = pytest.mark.skipif(not pump_is_available(), reason="needs epoll")

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
async def _patience() -> AsyncIterator[None]:
    with trio.fail_after(PATIENCE_S):
        yield


async def knock(kit: GatewayUnderTest, address: tuple[str, int], data: bytes = b"") -> RawClient:
    """Connect, and say no more than ``data``."""
    sock = trio.socket.socket()
    await sock.connect(address)
    client = RawClient(trio.SocketStream(sock))
    kit.clients.append(client)
    if data:
        await client.send(data)
    return client


def tasks_of(nursery: trio.Nursery) -> int:
    """All tasks in a nursery and under it."""
    return sum(1 + sum(map(tasks_of, task.child_nurseries)) for task in nursery.child_tasks)


async def test_neither_half_a_head_nor_a_session_is_a_task() -> None:
    kit = GatewayUnderTest(pump=Pump)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        await call(kit, address, "ada")
        # The board has tasks of its own, which start in their own time.
        await trio.testing.wait_all_tasks_blocked()
        before = tasks_of(nursery)
        for number in range(10):
            await call(kit, address, f"user-{number}")
            await knock(kit, address, b"GET / HT")
        assert tasks_of(nursery) == before


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01", 400),
        (upgrade_request("/elsewhere"), 404),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ],
)
async def test_what_is_refused_gets_its_answer_and_an_end(data: bytes, status: int) -> None:
    kit = GatewayUnderTest(pump=Pump)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        client = await knock(kit, address, data)
        assert (await client.rest()).startswith(b"HTTP/1.1 %d " % status)


async def test_who_is_refused_is_no_task_either_and_is_let_go_though_it_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pump_request, "REFUSAL_TIMEOUT_S", 10 * PATIENCE_S)
    kit = GatewayUnderTest(pump=Pump)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        before = tasks_of(nursery)
        clients = [await knock(kit, address, b"nonsense\r\n\r\n") for _ in range(10)]
        assert kit.pump is not None
        while len(kit.pump) < 10:
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert tasks_of(nursery) == before
        for client in clients:
            # What it says after its answer is passed over.
            await client.send(b"GET / HTTP/1.1\r\n\r\n")
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert answer.count(b"Content-Length: ") == 1
        assert len(kit.pump) == 10
        monkeypatch.setattr(pump_request, "REFUSAL_TIMEOUT_S", 0.05)
        stays = await knock(kit, address, b"nonsense\r\n\r\n")
        await stays.rest()
        while len(kit.pump) > 10:
            await trio.testing.wait_all_tasks_blocked(0.01)


async def test_a_head_byte_by_byte_is_a_session_like_any_other() -> None:
    kit = GatewayUnderTest(pump=Pump)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        client = await knock(kit, address)
        for byte in upgrade_request():
            await client.send(bytes([byte]))
        await client.read_until(b"\r\n\r\n")
        await client.next_of("board:joined")
        await client.send(b"")


async def test_half_a_head_is_given_up_in_time() -> None:
    kit = GatewayUnderTest(pump=Pump, handshake_timeout_s=0.05)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        silent, half = await knock(kit, address), await knock(kit, address, b"GET / HT")
        for client in (silent, half):
            assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_a_peer_that_goes_away_leaves_nothing_behind() -> None:
    kit = GatewayUnderTest(pump=Pump, addresses=address_limits(connections_per_ip=1))
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        for data in (b"", b"GET / HT"):
            client = await knock(kit, address, data)
            await client.stream.aclose()
            # Only one may be here at a time, so the next one shows that this one is gone.
            while True:
                client = await knock(kit, address, upgrade_request())
                if b" 101 " in await client.read_until(b"\r\n\r\n"):
                    break
            await client.stream.aclose()
        while kit.gateway.connections:
            await trio.testing.wait_all_tasks_blocked()


async def test_a_bug_in_a_decision_ends_that_one_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kit = GatewayUnderTest(pump=Pump)
    async with kit.open() as nursery:
        address = await listen(kit, nursery)
        ada = await call(kit, address, "ada")
        with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
            patch.setattr(decision, "decide", Mock(side_effect=LookupError("oops")))
            client = await knock(kit, address, upgrade_request())
            with contextlib.suppress(trio.BrokenResourceError):
                assert await client.rest() == b""
        assert [entry["event"] for entry in logs] == ["connection failed during its handshake"]
        assert await ada.answers() == []
        await call(kit, address, "bob")


class TestLimits:
    async def test_of_one_address_refuse_what_is_over_and_say_when_to_come_back(self) -> None:
        kit = GatewayUnderTest(pump=Pump, addresses=address_limits(connections_per_ip=2))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            await call(kit, address, "ada")
            bob = await call(kit, address, "bob")
            answer = await (await knock(kit, address, upgrade_request())).rest()
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"\r\nRetry-After: 5\r\n" in answer
            assert kit.metrics.connections_refused == 1
            assert kit.metrics.connections_accepted == 2
            await bob.stream.aclose()
            while kit.gateway.connections > 1:
                await trio.testing.wait_all_tasks_blocked()
            await call(kit, address, "cleo")

    async def test_count_half_open_handshakes_too(self) -> None:
        kit = GatewayUnderTest(pump=Pump, addresses=address_limits(connections_per_ip=2))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            for _ in range(2):
                await knock(kit, address, b"GET / HT")
            assert (await (await knock(kit, address)).rest()).startswith(b"HTTP/1.1 429 ")

    async def test_hold_for_the_heads_of_all_together(self) -> None:
        kit = GatewayUnderTest(pump=Pump, max_connections=2)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            for _ in range(2):
                await knock(kit, address, b"GET / HT")
            assert (await (await knock(kit, address)).rest()).startswith(b"HTTP/1.1 429 ")
