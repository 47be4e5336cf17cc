"""Too much from one place: the offender is limited, and somebody else joins meanwhile."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from tests.hostile.kit import ATTACKER, joined, many_descriptors, metric, undisturbed, until_metric
from tests.server.kit import PATIENCE_S, running_server
from tests.transport.frames import event, read_frames, upgrade_request

pytestmark = pytest.mark.e2e

MESSAGES = 10_000
HALF_OPEN = 2000
CONNECTS = 10_000
BURST = 200
NEVER = 1e-3
"""A rate at which nothing is earned back while a test runs."""


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    with many_descriptors():
        yield


def call(address: ListeningAddress) -> socket.socket:
    """A blocking connection from the attacker's address."""
    return socket.create_connection(
        (address.host, address.port), timeout=PATIENCE_S, source_address=(ATTACKER, 0)
    )


def first_answer(sock: socket.socket) -> bytes:
    """The status line that the server sends, or nothing at all."""
    with contextlib.suppress(ConnectionResetError):
        return sock.recv(4096)[:12]
    return b""


def knock_once(address: ListeningAddress) -> bytes:
    """What somebody from the attacker's address is told who does as everybody does."""
    with call(address) as sock:
        sock.sendall(upgrade_request("/ws/boards/demo?user_id=mallory"))
        return first_answer(sock)


async def test_ten_thousand_messages_from_one_socket_are_cut_to_what_it_may_send(
    tmp_path: Path,
) -> None:
    async with (
        running_server(tmp_path, limits__messages_per_s=NEVER, limits__burst=BURST) as address,
        undisturbed(address, count=10),
    ):
        flooder = await joined(address, "mallory")
        async with flooder.stream, trio.open_nursery() as nursery:
            nursery.start_soon(flooder.send, event("heartbeat") * MESSAGES)
            newcomer = await joined(address, "newcomer", "elsewhere")
            await newcomer.stream.aclose()
            await until_metric(address, "presence_messages_received_total", 10 + MESSAGES)
            await flooder.stream.send_eof()
            told = [seen.event for seen in read_frames(await flooder.rest()) if seen.opcode == 1]
        kinds = [str(event.get("code") or event["type"]) for event in told]
        assert kinds.count("heartbeat:ack") == BURST
        # At most one a second; how long it took is no matter of this test.
        assert 1 <= kinds.count("RATE_LIMITED") < 100
        assert await metric(address, "presence_bad_messages_total") == 0


async def test_two_thousand_half_open_handshakes_hold_no_more_than_one_address_may(
    tmp_path: Path,
) -> None:
    async with (
        running_server(
            tmp_path,
            limits__connections_per_ip=HALF_OPEN // 2,
            limits__connects_burst=2 * HALF_OPEN,
            limits__handshake_timeout_s=2,
        ) as address,
        undisturbed(address),
    ):
        with ExitStack() as stack:
            held: list[socket.socket] = []

            def knock() -> None:
                for _ in range(HALF_OPEN):
                    held.append(sock := stack.enter_context(call(address)))
                    with contextlib.suppress(OSError):
                        sock.send(b"GET /ws/boards/demo HTTP/1.1\r\nHo")

            await trio.to_thread.run_sync(knock)
            await until_metric(address, "presence_connections_refused_total", HALF_OPEN // 2)
            newcomer = await joined(address, "newcomer", "elsewhere")
            await newcomer.stream.aclose()
            answers = await trio.to_thread.run_sync(lambda: [first_answer(s) for s in held])
        assert answers.count(b"HTTP/1.1 429") + answers.count(b"") == HALF_OPEN // 2
        assert answers.count(b"HTTP/1.1 408") == HALF_OPEN // 2, "the rest was given its time"
        # All of them are gone, or soon will be, and the address may come again.
        with trio.fail_after(PATIENCE_S):
            while await trio.to_thread.run_sync(knock_once, address) != b"HTTP/1.1 101":  # noqa: ASYNC110
                await trio.sleep(0.05)


async def test_ten_thousand_connects_from_one_address_are_a_burst_and_then_refused(
    tmp_path: Path,
) -> None:
    async with running_server(
        tmp_path, limits__connects_burst=BURST, limits__connects_per_s=NEVER
    ) as address:
        refused = 0
        done = trio.Event()

        def connect() -> None:
            nonlocal refused
            for number in range(CONNECTS):
                with call(address) as sock:
                    if number >= BURST:
                        refused += first_answer(sock) == b"HTTP/1.1 429"

        async def attack() -> None:
            await trio.to_thread.run_sync(connect)
            done.set()

        async with undisturbed(address, count=10), trio.open_nursery() as nursery:
            nursery.start_soon(attack)
            joins = 0
            while not done.is_set():
                newcomer = await joined(address, f"newcomer-{joins}", "elsewhere")
                await newcomer.stream.aclose()
                joins += 1
                await trio.sleep(0.1)
        assert refused == CONNECTS - BURST
        assert await metric(address, "presence_connections_refused_total") == CONNECTS - BURST
