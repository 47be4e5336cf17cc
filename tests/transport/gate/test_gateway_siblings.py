"""Two gateways of one server: a client at the wrong one is served by the right one."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
from websockets.frames import Opcode

from presence_server.core.yjs import hocuspocus
from presence_server.core.yjs.varint import write_text
from presence_server.transport.gate.addresses import CountedConnection
from presence_server.transport.gate.first_message import MAX_FIRST_BYTES
from presence_server.transport.gate.handover import HandedOver
from presence_server.transport.gate.siblings import Siblings
from presence_server.transport.http.refusal import full
from presence_server.transport.wire.pump import Pump, pump_is_available
from tests.fake_documents import FakeDocuments
from tests.limits import address_limits
from tests.transport.frames import event, frame, text, upgrade_request
from tests.transport.gate.test_first_message import auth
from tests.transport.gate.test_siblings import Fixed
from tests.transport.gate.test_siblings import listen as listen_for_links
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect, listen

pytestmark = pytest.mark.skipif(not pump_is_available(), reason="needs epoll")

PATIENCE_S = 30.0


class Half:
    """One process of a server of two."""

    def __init__(self, slot: int, folder: Path, **values: object) -> None:
        self.kit = GatewayUnderTest(**{"pump": Pump, **values})  # type: ignore[arg-type]
        self.links = listen_for_links(folder / str(slot))
        paths = {1 - slot: folder / str(1 - slot)}
        self.siblings = Siblings(Fixed(slot), paths, 65536, self.kit.registry.batch)
        self.kit.gateway.have_siblings(self.siblings)
        self.address = ("", 0)


class Server:
    def __init__(self, folder: Path, **values: object) -> None:
        self.halves = [Half(slot, folder, **values) for slot in (0, 1)]

    async def call(self, half: int, data: bytes) -> RawClient:
        """Send bytes to the port of one half."""
        sock = trio.socket.socket()
        await sock.connect(self.halves[half].address)
        client = RawClient(trio.SocketStream(sock))
        self.halves[half].kit.clients.append(client)
        await client.stream.send_all(data)
        return client

    async def join(self, half: int, board: str, user_id: str, rest: bytes = b"") -> RawClient:
        target = f"/ws/boards/{board}?user_id={user_id}"
        client = await self.call(half, upgrade_request(target) + rest)
        head = await client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        await client.next_of("board:joined")
        return client


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        for half in server.halves:
            nursery = await stack.enter_async_context(half.kit.open())
            await nursery.start(half.siblings.run, half.links)
            half.address = await listen(half.kit, nursery)
        try:
            yield server
        finally:
            for half in server.halves:
                half.links.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    with trio.fail_after(PATIENCE_S):
        async with opened(Server(tmp_path)) as found:
            yield found


async def test_everybody_on_a_board_meets_whichever_process_accepted_them(server: Server) -> None:
    ada = await server.join(0, "1-board", "ada")
    bob = await server.join(1, "1-board", "bob")
    await ada.next_of("user:joined")
    await ada.say("presence:update", status="away")
    assert (await bob.next_of("presence:update"))["user_id"] == "ada"
    assert [half.kit.board_is_live("1-board") for half in server.halves] == [False, True]
    assert [half.siblings.handed_over for half in server.halves] == [1, 0]


async def test_a_board_in_percent_escapes_goes_where_the_plain_one_goes(server: Server) -> None:
    await server.join(0, "%31%2dboard", "ada")
    assert server.halves[1].kit.board_is_live("1-board")


async def test_messages_sent_with_the_request_travel_with_it(server: Server) -> None:
    target = "/ws/boards/1-board?user_id=ada"
    client = await server.call(0, upgrade_request(target) + event("heartbeat"))
    await client.read_until(b"\r\n\r\n")
    await client.next_of("heartbeat:ack")


async def test_a_head_of_16_kib_with_16_kib_after_it_is_handed_over_whole(server: Server) -> None:
    message = text(b'{"type":"heartbeat","payload":{}}' + b" " * 16384)
    head = upgrade_request("/ws/boards/1-board?user_id=ada")
    head = head[:-2] + b"X-Padding: " + b"p" * (16384 - len(head) - 13) + b"\r\n\r\n"
    assert len(head) == 16384
    kit = server.halves[1].kit
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    kit.clients.append(RawClient(stream))
    server.halves[0].siblings.hand_over(1, theirs, HandedOver("::1", head, message))
    client = RawClient(stream)
    await client.read_until(b"\r\n\r\n")
    # The server says so about the message as a whole.
    assert (await client.next_of("error"))["code"] == "MESSAGE_TOO_BIG"
    await client.next_of("board:joined")


async def test_the_counts_of_an_address_are_given_back_by_who_hands_over(tmp_path: Path) -> None:
    limits = address_limits(connections_per_ip=2)
    async with opened(Server(tmp_path, addresses=limits)) as server:
        for number in range(2):
            await server.join(0, "1-board", f"user-{number}")
        # The process that accepted them has room for others; the one that serves them has not.
        await server.join(0, "0-board", "ada")
        full = await server.call(0, upgrade_request("/ws/boards/1-board?user_id=bob"))
        assert (await full.rest()).startswith(b"HTTP/1.1 429 ")


async def test_a_request_that_is_none_is_refused_by_the_owner_of_its_board(server: Server) -> None:
    client = await server.call(0, b"GET /ws/boards/1-board HTTP/1.1\r\nHost: test\r\n\r\n")
    assert (await client.rest()).startswith(b"HTTP/1.1 426 ")
    assert server.halves[0].siblings.handed_over == 1
    client = await server.call(0, b"GET /ws/boards/1-board HTTP/1.1\r\nbroken\r\n\r\n")
    assert (await client.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_draining_process_hands_nothing_over(server: Server) -> None:
    server.halves[0].kit.gateway.refuse_newcomers()
    client = await server.call(0, upgrade_request("/ws/boards/1-board?user_id=ada"))
    assert (await client.rest()).startswith(b"HTTP/1.1 503 ")
    assert server.halves[0].siblings.handed_over == 0


async def test_a_full_link_is_answered_with_503(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.halves[0].siblings, "has_room", lambda _slot: False)
    client = await server.call(0, upgrade_request("/ws/boards/1-board?user_id=ada"))
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"UNAVAILABLE"' in answer


async def test_what_cannot_be_watched_is_closed_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.join(0, "1-board", "ada")

    def no_space(*_: object) -> None:
        raise OSError("no space for it")

    with monkeypatch.context() as patched:
        patched.setattr(server.halves[1].kit.pump, "add", no_space)
        client = await server.call(0, upgrade_request("/ws/boards/1-board?user_id=bob"))
        assert await client.rest() == b""
    assert await ada.answers() == []
    await server.join(0, "1-board", "eve")


class TestHocuspocus:
    """Clients whose board is known only after the upgrade, by their first message."""

    @staticmethod
    async def call(server: Server, board: str, *more: bytes) -> RawClient:
        address = write_text(board)
        client = await server.call(0, upgrade_request(f"/hocuspocus?user_id=ada-{board}"))
        head = await client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        await client.send(frame(Opcode.BINARY, auth("", address)), *more)
        return client

    @pytest.fixture
    async def server(self, tmp_path: Path) -> AsyncIterator[Server]:
        with trio.fail_after(PATIENCE_S):
            async with opened(Server(tmp_path, documents=FakeDocuments())) as found:
                yield found

    @pytest.mark.parametrize(("board", "owner"), [("0-board", 0), ("1-board", 1)])
    async def test_the_process_of_the_board_serves_it(
        self, server: Server, board: str, owner: int
    ) -> None:
        address = write_text(board)
        client = await self.call(server, board, frame(Opcode.BINARY, address + b"\x07"))
        seen = await client.frame()
        assert seen is not None
        assert seen.data == address + hocuspocus.authenticated(may_edit=True)
        # The message behind the first one travelled with it: a leave.
        assert await client.end() == 1000
        assert [half.siblings.handed_over for half in server.halves] == [owner, 0]
        assert server.halves[owner].kit.metrics.connections_accepted == 1
        assert server.halves[1 - owner].kit.metrics.connections_accepted == 0

    async def test_a_first_message_of_more_than_a_packet_is_handed_over_whole(
        self, server: Server
    ) -> None:
        address = write_text("1-board")
        long = auth("x" * (MAX_FIRST_BYTES - 100), address)
        client = await server.call(0, upgrade_request("/hocuspocus?user_id=ada"))
        await client.read_until(b"\r\n\r\n")
        await client.send(frame(Opcode.BINARY, long))
        seen = await client.frame()
        assert seen is not None
        assert seen.data == address + hocuspocus.authenticated(may_edit=True)

    async def test_what_the_owner_refuses_is_closed_and_no_answer_of_http(
        self, server: Server
    ) -> None:
        server.halves[1].kit.gateway.refuse_newcomers()
        client = await self.call(server, "1-board")
        assert await client.end() == 1012

    async def test_an_owner_at_its_limit_is_closed_with_1013(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decider = server.halves[1].kit.gateway._decider

        def refuse(_host: str, _requests: int) -> CountedConnection:
            raise full()

        monkeypatch.setattr(decider, "count", refuse)
        client = await self.call(server, "1-board")
        assert await client.end() == 1013

    async def test_a_full_link_is_closed_with_1013(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server.halves[0].siblings, "has_room", lambda _slot: False)
        client = await self.call(server, "1-board")
        assert await client.end() == 1013

    async def test_a_dead_owner_is_closed_with_1013(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server.halves[0].siblings._links[1], "_path", "/nowhere")
        client = await self.call(server, "1-board")
        assert await client.end() == 1013

    async def test_over_a_stream_the_board_goes_to_its_process_as_well(
        self, server: Server
    ) -> None:
        kit = server.halves[0].kit
        async with trio.open_nursery() as nursery:
            client = await connect(kit, nursery)
            kit.clients.append(client)
            await client.upgrade("/hocuspocus?user_id=ada")
            address = write_text("1-board")
            await client.send(frame(Opcode.BINARY, auth("", address)))
            seen = await client.frame()
            assert seen is not None
            assert seen.data == address + hocuspocus.authenticated(may_edit=True)
            assert server.halves[1].kit.board_is_live("1-board")
            nursery.cancel_scope.cancel()
