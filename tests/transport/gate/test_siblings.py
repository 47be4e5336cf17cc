"""Requests on their way between two processes of a server, over real links."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from presence_server.rooms.batch import Batch
from presence_server.transport.gate import links
from presence_server.transport.gate.handover import HandedOver
from presence_server.transport.gate.siblings import Siblings

PATIENCE_S = 30.0
REQUEST = HandedOver(
    "192.0.2.7",
    b"GET /ws/boards/theirs HTTP/1.1\r\n\r\n",
    b"after it",
    family=socket.AF_UNIX,
)


class Fixed:
    """Boards that begin with a number are that slot's."""

    def __init__(self, slot: int) -> None:
        self._slot = slot

    def owner_of(self, board_id: str) -> int | None:
        slot = int(board_id[0])
        return None if slot == self._slot else slot


def listen(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.setblocking(False)
    sock.bind(str(path))
    sock.listen(16)
    return sock


class Process:
    """The links of one process, and what it was handed."""

    def __init__(self, slot: int, folder: Path) -> None:
        self.listener = listen(folder / str(slot))
        paths = {other: folder / str(other) for other in (0, 1) if other != slot}
        self.siblings = Siblings(Fixed(slot), paths, 1000, Batch(lambda: None))
        self.send, self.taken = trio.open_memory_channel[tuple[socket.socket, HandedOver]](20_000)
        self.siblings.on_taken = lambda sock, handed: self.send.send_nowait((sock, handed))
        self.siblings.on_asked = lambda about: f"{slot} says {about}".encode() * 10_000

    async def take(self) -> tuple[socket.socket, HandedOver]:
        with trio.fail_after(PATIENCE_S):
            return await self.taken.receive()


@pytest.fixture
async def two(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[list[Process]]:
    """Two processes. Only the first one is running."""
    found = [Process(slot, tmp_path) for slot in (0, 1)]
    await nursery.start(found[0].siblings.run, found[0].listener)
    yield found
    nursery.cancel_scope.cancel()
    for process in found:
        process.listener.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """The client's end of a connection, and the server's."""
    client, server = socket.socketpair()
    server.setblocking(False)
    client.settimeout(PATIENCE_S)
    return client, server


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def highest_descriptor() -> int:
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir())


@pytest.fixture
async def running(two: list[Process], nursery: trio.Nursery) -> list[Process]:
    """Both processes are running."""
    await nursery.start(two[1].siblings.run, two[1].listener)
    return two


def test_the_owner_of_a_request_is_the_slot_of_its_board(tmp_path: Path) -> None:
    siblings = Siblings(Fixed(0), {}, 1000, Batch(lambda: None))
    assert siblings.owner_of(b"GET /ws/boards/1-x HTTP/1.1\r\n\r\n") == 1
    assert siblings.owner_of(b"GET /ws/boards/0-x HTTP/1.1\r\n\r\n") is None
    assert siblings.owner_of(b"GET /api/boards/%31/presence HTTP/1.1\r\n\r\n") == 1
    assert siblings.owner_of(b"GET /metrics HTTP/1.1\r\n\r\n") is None


async def test_a_socket_arrives_with_what_was_read_from_it(running: list[Process]) -> None:
    client, server = pair()
    with client:
        running[0].siblings.hand_over(1, server, REQUEST)
        assert server.fileno() == -1
        sock, handed = await running[1].take()
        assert handed == REQUEST
        with sock:
            sock.send(b"hello")
            assert client.recv(100) == b"hello"
        assert client.recv(100) == b""


async def test_a_long_message_arrives_in_parts(running: list[Process]) -> None:
    long = HandedOver("::1", b"h" * 16384, os.urandom(50_000), is_upgraded=True)
    for _ in range(3):
        client, server = pair()
        running[0].siblings.hand_over(1, server, long)
        sock, handed = await running[1].take()
        assert handed == long
        sock.close()
        client.close()


async def test_ten_thousand_requests_leave_no_descriptor_open(running: list[Process]) -> None:
    client, server = pair()
    before = 0
    for _ in range(200):
        for _ in range(50):
            running[0].siblings.hand_over(1, server.dup(), REQUEST)
        for _ in range(50):
            (await running[1].take())[0].close()
        before = before or open_descriptors()
    assert running[0].siblings.handed_over == 10_000
    assert open_descriptors() == before
    client.close()
    server.close()


async def test_what_waits_for_a_process_goes_to_its_successor(
    two: list[Process], nursery: trio.Nursery
) -> None:
    clients = []
    for _ in range(5):
        client, server = pair()
        two[0].siblings.hand_over(1, server, REQUEST)
        clients.append(client)
    async with trio.open_nursery() as life:
        await life.start(two[1].siblings.run, two[1].listener)
        for _ in range(5):
            (await two[1].take())[0].close()
        life.cancel_scope.cancel()
    # The link of the dead process is broken; the next request waits at the slot's socket.
    client, server = pair()
    two[0].siblings.hand_over(1, server, REQUEST)
    await nursery.start(two[1].siblings.run, two[1].listener)
    sock, handed = await two[1].take()
    assert handed == REQUEST
    sock.close()
    for other in (*clients, client):
        other.close()


async def test_the_clients_in_the_link_of_a_dead_process_are_let_go(two: list[Process]) -> None:
    client, server = pair()
    two[0].siblings.hand_over(1, server, REQUEST)
    link, _ = two[1].listener.accept()
    link.close()
    # None is stuck: its connection ends, and it comes back.
    with client:
        assert client.recv(100) == b""


async def test_a_full_link_lets_requests_wait_and_then_refuses_them(
    two: list[Process], nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MAX_WAITING", 10)
    clients: list[socket.socket] = []
    while two[0].siblings.has_room(1):
        client, server = pair()
        two[0].siblings.hand_over(1, server, HandedOver("x", b"h" * 16384, b"r" * 16384))
        clients.append(client)
    client, server = pair()
    two[0].siblings.hand_over(1, server, REQUEST)
    with client:
        answer = client.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5\r\n" in answer
    # The others wait, and are served in their turn.
    await nursery.start(two[1].siblings.run, two[1].listener)
    for _ in clients:
        sock, handed = await two[1].take()
        assert handed.size == 32768
        sock.close()
    assert two[0].siblings.has_room(1)
    for client in clients:
        client.close()


async def test_a_request_that_waits_too_long_gets_503(
    two: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "WAIT_S", 0.0)
    client, server = pair()
    fill: list[socket.socket] = []
    while two[0].siblings._links[1]._waiting == type(two[0].siblings._links[1]._waiting)():
        other, theirs = pair()
        two[0].siblings.hand_over(1, theirs, HandedOver("x", b"h" * 16384, b"r" * 16384))
        fill.append(other)
    two[0].siblings.hand_over(1, server, REQUEST)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(client))
    with trio.fail_after(PATIENCE_S):
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 503 ")
    await stream.aclose()
    for other in fill:
        other.close()


async def test_garbage_ends_its_link_alone(running: list[Process], tmp_path: Path) -> None:
    client, server = pair()
    running[0].siblings.hand_over(1, server, REQUEST)
    (await running[1].take())[0].close()
    with capture_logs() as logs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(str(tmp_path / "1"))
        stranger.send(b"GET / HTTP/1.1\r\n\r\n")
        stranger.setblocking(False)
        async_stranger = trio.socket.from_stdlib_socket(stranger.dup())
        with trio.fail_after(PATIENCE_S):
            assert await async_stranger.recv(10) == b""
        async_stranger.close()
    assert [line["event"] for line in logs] == ["a link to this process sent garbage and is closed"]
    again, theirs = pair()
    running[0].siblings.hand_over(1, theirs, REQUEST)
    (await running[1].take())[0].close()
    client.close()
    again.close()


async def test_a_process_without_free_descriptors_loses_that_client_alone(
    running: list[Process],
) -> None:
    client, server = pair()
    running[0].siblings.hand_over(1, server, REQUEST)
    (await running[1].take())[0].close()
    lost, theirs = pair()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    holes = []
    with capture_logs() as logs:
        # Every number up to the limit is taken when the socket arrives.
        highest = highest_descriptor()
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
        try:
            running[0].siblings.hand_over(1, theirs, REQUEST)
            while True:
                try:
                    holes.append(os.dup(0))
                except OSError:
                    break
            with trio.fail_after(PATIENCE_S):
                while not logs:
                    await trio.lowlevel.checkpoint()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for hole in holes:
                os.close(hole)
    assert logs[0]["event"] == "a connection from another process came without its socket"
    with lost:
        assert lost.recv(10) == b""
    again, theirs = pair()
    running[0].siblings.hand_over(1, theirs, REQUEST)
    (await running[1].take())[0].close()
    client.close()
    again.close()


async def test_every_process_answers_a_question(running: list[Process]) -> None:
    assert await running[0].siblings.ask("ready") == {1: b"1 says ready" * 10_000}


async def test_a_process_that_does_not_answer_is_missing(
    two: list[Process], autojump_clock: trio.testing.MockClock
) -> None:
    assert await two[0].siblings.ask("ready") == {1: None}
