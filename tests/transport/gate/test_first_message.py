"""Connections whose board is named in their first message: until then nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.core.yjs import hocuspocus
from presence_server.core.yjs.varint import write_text
from presence_server.protocol.errors import retry_reason
from presence_server.refusals import RefusalReason
from presence_server.transport.gate.first_message import (
    MAX_FIRST_BYTES,
    MAX_FIRST_FRAMES,
    FirstMessageReader,
    after_upgrade,
    no_message,
)
from presence_server.transport.http.head import BadRequest
from presence_server.transport.http.refusal import RETRY_S, draining, full
from presence_server.transport.wire.pump import Pump, pump_is_available
from tests.fake_documents import FakeDocuments
from tests.transport.frames import close, frame, read_frames, text, upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect, listen

Clock = trio.testing.MockClock

BOARD = write_text("demo")
PATIENCE_S = 20.0


def auth(token: str = "", address: bytes = BOARD) -> bytes:
    """The first message of the stock provider."""
    return address + b"\x02\x00" + write_text(token) + write_text("4.8.0")


class TestReader:
    def test_the_message_comes_with_every_byte_so_far(self) -> None:
        data = frame(Opcode.BINARY, auth()) + frame(Opcode.BINARY, b"more")
        assert FirstMessageReader().feed(data) == (auth(), data)

    def test_it_may_come_in_pieces_and_in_fragments_with_pings_between(self) -> None:
        message = auth("x" * 300)
        data = (
            frame(Opcode.PING, b"hello")
            + frame(Opcode.BINARY, message[:10], fin=False)
            + frame(Opcode.PONG)
            + frame(Opcode.CONT, message[10:200], fin=False)
            + frame(Opcode.CONT, message[200:])
        )
        reader = FirstMessageReader()
        for byte in data[:-1]:
            assert reader.feed(bytes((byte,))) is None
        assert reader.feed(data[-1:]) == (message, data)

    def test_it_may_be_the_last_of_the_frames_that_may_come(self) -> None:
        data = frame(Opcode.PING) * (MAX_FIRST_FRAMES - 1) + frame(Opcode.BINARY, auth())
        assert FirstMessageReader().feed(data) == (auth(), data)

    @pytest.mark.parametrize("data", [b"", close(), close(None)])
    def test_a_close_or_the_end_is_the_end(self, data: bytes) -> None:
        with pytest.raises(EOFError):
            FirstMessageReader().feed(data)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (text("hello"), "not a binary one"),
            (frame(Opcode.CONT, b"x"), "not a binary one"),
            (frame(Opcode.BINARY, b"x", fin=False) + frame(Opcode.BINARY, b"y"), "not a binary"),
            (b"\x82\x01x", "no mask"),
            (b"\xc2" + frame(Opcode.BINARY, b"x")[1:], "not a binary one"),
            (frame(Opcode.BINARY, b"x" * MAX_FIRST_BYTES)[:20], "too long"),
            (frame(Opcode.PING, b"x" * 125) * (MAX_FIRST_BYTES // 131 + 1), "too many frames"),
            (frame(Opcode.PING) * MAX_FIRST_FRAMES + frame(Opcode.BINARY, b"x"), "too many frames"),
            (frame(Opcode.BINARY, b"x" * 60_000, fin=False) * 2, "too long"),
        ],
    )
    def test_anything_else_is_refused(self, data: bytes, reason: str) -> None:
        with pytest.raises(BadRequest, match=reason):
            FirstMessageReader().feed(data)


@pytest.fixture(params=["stream", "pump"])
def pump(request: pytest.FixtureRequest) -> type[Pump] | None:
    """Both ways in which bytes come."""
    if request.param == "pump" and not pump_is_available():
        pytest.skip("needs epoll")
    return Pump if request.param == "pump" else None


@pytest.fixture
async def kit(pump: type[Pump] | None) -> AsyncIterator[GatewayUnderTest]:
    """A gateway with documents."""
    with trio.fail_after(PATIENCE_S):
        yield GatewayUnderTest(documents=FakeDocuments(), pump=pump, handshake_timeout_s=PATIENCE_S)


async def call(
    kit: GatewayUnderTest, nursery: trio.Nursery, target: str, *rest: bytes
) -> RawClient:
    """A client that has read the 101."""
    if kit.pump is None:
        client = await connect(kit, nursery)
    else:
        sock = trio.socket.socket()
        await sock.connect(await listen(kit, nursery))
        client = RawClient(trio.SocketStream(sock))
        kit.clients.append(client)
    await client.upgrade(target, b"".join(rest))
    return client


async def closed(client: RawClient) -> tuple[list[bytes], int, str]:
    """The binary messages, and how the connection was closed."""
    frames = read_frames(await client.rest())
    *messages, end = frames
    assert all(seen.opcode is Opcode.BINARY for seen in messages)
    return [seen.data for seen in messages], end.close.code, end.close.reason


class TestGateway:
    @pytest.mark.parametrize("target", ["/hocuspocus", "/hocuspocus/", "/hocuspocus?user_id=ada"])
    async def test_the_first_message_names_the_board(
        self, kit: GatewayUnderTest, target: str
    ) -> None:
        async with kit.open() as nursery:
            client = await call(kit, nursery, target)
            assert len(kit.registry) == 0
            assert kit.gateway.connections == 0
            await client.send(frame(Opcode.BINARY, auth()))
            seen = await client.frame()
            assert seen is not None
            assert seen.data == BOARD + hocuspocus.authenticated(may_edit=True)
            assert kit.board_is_live("demo")
            assert kit.gateway.connections == 1

    async def test_all_messages_that_came_with_it_are_heard_and_pings_are_answered(
        self, kit: GatewayUnderTest
    ) -> None:
        async with kit.open() as nursery:
            first = frame(Opcode.PING, b"hello") + frame(Opcode.BINARY, auth())
            client = await call(
                kit, nursery, "/hocuspocus", first, frame(Opcode.BINARY, BOARD + b"\x03")
            )
            found: list[tuple[Opcode, bytes]] = []
            while len(found) < 3:
                seen = await client.frame()
                assert seen is not None
                found.append((seen.opcode, seen.data))
            assert (Opcode.PONG, b"hello") in found
            assert any(data.startswith(BOARD + b"\x01") for _, data in found)

    async def test_without_a_message_it_ends_in_time(self, pump: type[Pump] | None) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), pump=pump, handshake_timeout_s=0.05)
        with trio.fail_after(PATIENCE_S):
            async with kit.open() as nursery:
                client = await call(kit, nursery, "/hocuspocus")
                assert await closed(client) == ([], 1013, "no first message came in time")
                assert kit.metrics.refusals.counts[RefusalReason.TIMEOUT] == 1
                assert kit.gateway.connections == 0
                await kit.gateway.wait_until_answered()

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (text("hello"), "the first message is not a binary one"),
            (frame(Opcode.BINARY, b"\x04"), "a length is larger than what is left"),
        ],
    )
    async def test_a_message_that_is_none_closes_with_4400(
        self, kit: GatewayUnderTest, data: bytes, reason: str
    ) -> None:
        async with kit.open() as nursery:
            client = await call(kit, nursery, "/hocuspocus", data)
            assert await closed(client) == ([], 4400, reason)

    async def test_a_name_that_no_board_can_have_is_denied(self, kit: GatewayUnderTest) -> None:
        async with kit.open() as nursery:
            address = write_text("a b")
            client = await call(
                kit, nursery, "/hocuspocus", frame(Opcode.BINARY, auth("", address))
            )
            messages, code, reason = await closed(client)
            assert messages == [address + hocuspocus.permission_denied(reason)]
            assert code == 4400
            assert reason.startswith("a board id is 1 to 128 characters")

    @pytest.mark.parametrize("last", [close(), b""])
    async def test_a_client_that_leaves_before_it_is_forgotten(
        self, kit: GatewayUnderTest, last: bytes
    ) -> None:
        async with kit.open() as nursery:
            client = await call(kit, nursery, "/hocuspocus", last)
            await trio.aclose_forcefully(client.stream)
            await kit.gateway.wait_until_answered()
            assert kit.gateway.connections == 0

    async def test_a_server_that_stops_sends_it_away(self, kit: GatewayUnderTest) -> None:
        async with kit.open() as nursery:
            client = await call(kit, nursery, "/hocuspocus")
            kit.gateway.refuse_newcomers()
            await client.send(frame(Opcode.BINARY, auth()))
            assert await closed(client) == ([], 1012, retry_reason(RETRY_S * 1000))


class TestRequests:
    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (b"GET /hocuspocus HTTP/1.1\r\nHost: test\r\n\r\n", 426),
            (upgrade_request("/hocuspocus/demo"), 404),
            (upgrade_request("/hocuspocus", Origin="https://evil.example"), 403),
        ],
    )
    async def test_what_is_refused_before_the_upgrade_gets_its_status(
        self, autojump_clock: Clock, request_bytes: bytes, status: int
    ) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments())
        async with kit.open() as nursery:
            client = await connect(kit, nursery)
            await client.send(request_bytes)
            assert (await client.rest()).startswith(b"HTTP/1.1 %d " % status)

    async def test_without_documents_there_is_no_such_socket(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            client = await connect(kit, nursery)
            await client.send(upgrade_request("/hocuspocus"))
            assert (await client.rest()).startswith(b"HTTP/1.1 404 ")


def test_refusals_after_the_upgrade_are_close_frames() -> None:
    codes = [
        read_frames(after_upgrade(r).response())[0].close.code
        for r in (full(), draining(), no_message(), after_upgrade(full()))
    ]
    assert codes == [1013, 1012, 1013, 1013]
