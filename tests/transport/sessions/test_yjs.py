"""Clients that speak Yjs: on the board's socket beside text, and on a socket of y-websocket."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import encode_entries, encode_entry, read_entries
from presence_server.core.yjs.update import EMPTY_UPDATE
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from tests.core.documents.kit import state, typed
from tests.fake_documents import FakeDocuments
from tests.limits import board_limits, connection_limits, yjs_limits
from tests.transport.frames import close, event, frame, read_frames, text, upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect

Clock = trio.testing.MockClock
Message = tuple[MessageKind, bytes]


def binary(*messages: bytes) -> bytes:
    return b"".join(frame(Opcode.BINARY, message) for message in messages)


async def connected(
    kit: GatewayUnderTest, nursery: trio.Nursery, target: str, rest: bytes = b""
) -> RawClient:
    client = await connect(kit, nursery)
    await client.upgrade(target, rest)
    return client


async def yjs(
    kit: GatewayUnderTest, nursery: trio.Nursery, user_id: str, *more: bytes
) -> RawClient:
    client = await connected(kit, nursery, f"/yjs/demo?user_id={user_id}", binary(*more))
    await trio.testing.wait_all_tasks_blocked()
    return client


async def heard(client: RawClient, *, awareness: bool = False) -> list[Message]:
    """The messages that have come by now; every frame is binary."""
    found: list[Message] = []
    await trio.testing.wait_all_tasks_blocked()
    with trio.move_on_after(0.001):
        while (seen := await client.frame()) is not None:
            if seen.opcode in (Opcode.PING, Opcode.CLOSE):
                continue
            assert seen.opcode is Opcode.BINARY, seen
            message = wire.read_message(seen.data)
            if awareness or message[0] is not MessageKind.AWARENESS:
                found.append(message)
    return found


async def closed(client: RawClient) -> tuple[list[Message], int, str]:
    """The last messages, and how the connection was closed."""
    frames = read_frames(await client.rest())
    end = frames[-1].close
    binary_frames = [seen for seen in frames[:-1] if seen.opcode is not Opcode.PING]
    assert all(seen.opcode is Opcode.BINARY for seen in binary_frames)
    return [wire.read_message(seen.data) for seen in binary_frames], end.code, end.reason


@pytest.fixture
def kit() -> GatewayUnderTest:
    """A gateway of a server with documents."""
    return GatewayUnderTest(documents=FakeDocuments())


class TestSocketOfYWebsocket:
    async def test_two_clients_share_a_document(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            assert await heard(ada) == [
                (MessageKind.STEP_2, EMPTY_UPDATE),
                (MessageKind.STEP_1, EMPTY_VECTOR),
            ]
            await ada.send(binary(wire.change(typed(1, 0)), wire.change(typed(1, 1))))
            assert await heard(ada) == [(MessageKind.UPDATE, typed(1, n)) for n in (0, 1)]
            bob = await yjs(kit, nursery, "bob", wire.step_1(EMPTY_VECTOR))
            assert (await heard(bob))[:2] == [
                (MessageKind.UPDATE, typed(1, 0)),
                (MessageKind.STEP_2, typed(1, 1)),
            ]
            room = kit.registry.get("demo")
            assert room is not None
            assert [user.user_id for user in room.room.current_users()] == ["ada", "bob"]

    async def test_a_page_on_the_board_and_a_provider_share_board_and_document(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            page = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            assert (await page.next())["type"] == "board:joined"
            bob = await yjs(kit, nursery, "bob", wire.step_1(EMPTY_VECTOR))
            assert (await page.next())["type"] == "user:joined"
            await bob.send(binary(wire.change(typed(1, 0))))
            assert await page.answers() == []
            await page.send(binary(wire.step_1(EMPTY_VECTOR)))
            found: list[Message] = []
            while len(found) < 2:
                seen = await page.frame()
                assert seen is not None
                if seen.opcode is Opcode.BINARY:
                    found.append(wire.read_message(seen.data))
            assert found[0] == (MessageKind.STEP_2, typed(1, 0))
            await page.send(binary(wire.change(typed(2, 0))))
            assert (MessageKind.UPDATE, typed(2, 0)) in await heard(bob)

    async def test_a_page_hears_when_its_changes_are_durable(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            page = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            await page.next()
            await page.send(binary(wire.step_1(EMPTY_VECTOR)))
            await trio.sleep(0.1)
            await page.send(binary(wire.change(typed(1, 0))))
            kinds = []
            while True:
                seen = await page.frame()
                assert seen is not None
                if seen.opcode is Opcode.TEXT:
                    kinds.append((seen.event["type"], seen.event.get("updates")))
                    break
            assert kinds == [("document:stored", 1)]

    async def test_a_full_board_refuses_with_1013_and_a_reason(self, autojump_clock: Clock) -> None:
        board = board_limits(capacity=1, watch_limit=1)
        kit = GatewayUnderTest(documents=FakeDocuments(), board=board)
        async with kit.open() as nursery:
            await yjs(kit, nursery, "ada")
            eve = await yjs(kit, nursery, "eve", wire.step_1(EMPTY_VECTOR))
            assert await heard(eve) == [(MessageKind.STEP_2, EMPTY_UPDATE)]
            bob = await yjs(kit, nursery, "bob")
            messages, code, _ = await closed(bob)
            assert [kind for kind, _ in messages] == [MessageKind.DENIED]
            assert code == 1013

    async def test_who_is_silent_for_too_long_may_come_back(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(
            documents=FakeDocuments(),
            board=board_limits(timeout_s=5, heartbeat_interval_s=1),
            connection=connection_limits(ping_interval_s=1000),
        )
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada")
            _, code, reason = await closed(ada)
            assert (code, reason) == (1013, "no sign of life")

    async def test_a_text_message_is_a_bad_one(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada")
            await ada.send(event("heartbeat"))
            (message,) = await heard(ada)
            assert message[0] is MessageKind.DENIED
            await ada.send(event("heartbeat") * 20)
            assert (await closed(ada))[1] == 4400

    async def test_too_large_a_message_ends_the_upload_for_good(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), yjs=yjs_limits(max_binary_bytes=2000))
        async with kit.open() as nursery:
            for parts in (
                [frame(Opcode.BINARY, b"x" * 2001)],
                [frame(Opcode.BINARY, b"x" * 70_000)[:100]],
                [
                    frame(Opcode.BINARY, b"x" * 1500, fin=False),
                    frame(Opcode.CONT, b"x" * 501, fin=True),
                ],
            ):
                ada = await yjs(kit, nursery, "ada")
                await ada.send(*parts)
                assert (await closed(ada))[1] == 4413

    async def test_without_documents_there_is_no_such_socket(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            client_end, server_end = trio.testing.memory_stream_pair()
            nursery.start_soon(kit.serve_stream, server_end)
            client = RawClient(client_end)
            await client.send(upgrade_request("/yjs/demo"))
            assert (await client.rest()).startswith(b"HTTP/1.1 404 ")

    async def test_without_an_upgrade_it_is_answered_426(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            client_end, server_end = trio.testing.memory_stream_pair()
            nursery.start_soon(kit.serve_stream, server_end)
            client = RawClient(client_end)
            await client.send(b"GET /yjs/demo HTTP/1.1\r\nHost: test\r\n\r\n")
            assert (await client.rest()).startswith(b"HTTP/1.1 426 ")

    async def test_close_1000_is_a_leave(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.awareness(state(7, 1, "{}")))
            await ada.send(close())
            await ada.rest()
            await trio.testing.wait_all_tasks_blocked()
            assert not kit.board_is_live()
            assert kit.registry.get("demo") is None

    async def test_null_and_a_close_without_a_code_is_a_leave(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.awareness(state(7, 1, "{}")))
            await ada.send(binary(wire.awareness(state(7, 1, "null"))), close(None))
            await ada.rest()
            await trio.testing.wait_all_tasks_blocked()
            assert not kit.board_is_live()

    async def test_the_document_outlives_its_board(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            await ada.send(binary(wire.change(typed(1, 0))), close())
            await ada.rest()
            assert not kit.board_is_live()
            bob = await yjs(kit, nursery, "bob", wire.step_1(EMPTY_VECTOR))
            assert (await heard(bob))[0] == (MessageKind.STEP_2, typed(1, 0))


class TestSocketOfTheBoard:
    async def test_a_damaged_message_is_answered_and_20_of_them_close(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            page = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            await page.next()
            await page.send(binary(b"\x09"))
            error = await page.next()
            assert (error["code"], error["message"]) == (
                "INVALID_MESSAGE",
                "binary message: a message of an unknown type",
            )
            await page.send(binary(wire.change(bytes([1, 1, 1, 1, 0, 0, 0]))))
            assert "garbage of no length" in json.dumps(await page.next_of("error"))
            await page.send(binary(*[b"\x09"] * 20))
            frames = read_frames(await page.rest())
            assert frames[-1].close.code == 4400

    async def test_text_has_its_own_limit(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            page = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            await page.next()
            await page.send(binary(wire.step_1(EMPTY_VECTOR)), text("x" * 65_537))
            frames = read_frames(await page.rest())
            assert frames[-1].close.code == 1009

    async def test_a_binary_message_over_its_limit_closes_with_1009(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), yjs=yjs_limits(max_binary_bytes=2000))
        async with kit.open() as nursery:
            page = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            await page.send(frame(Opcode.BINARY, b"x" * 2001))
            frames = read_frames(await page.rest())
            assert [f.close.code for f in frames if f.opcode is Opcode.CLOSE] == [1009]

    async def test_a_long_message_comes_in_any_form(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            bob = await yjs(kit, nursery, "bob", wire.step_1(EMPTY_VECTOR))
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            updates = [typed(1, 0, "x" * 200), typed(1, 200, "y" * 9000)]
            whole = wire.change(typed(1, 9200, "z" * 100_000))
            await ada.send(binary(*map(wire.change, updates)))
            await ada.send(
                frame(Opcode.BINARY, whole[:5], fin=False), frame(Opcode.CONT, whole[5:])
            )
            await heard(bob)
            await ada.send(binary(wire.change(typed(1, 109_200))))
            assert await heard(bob) == [(MessageKind.UPDATE, typed(1, 109_200))]

    async def test_a_message_in_many_parts_costs_no_text(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            await heard(ada)
            whole = wire.change(typed(1, 0, "x" * 10_000))
            parts = [whole[n : n + 100] for n in range(0, len(whole), 100)]
            await ada.send(frame(Opcode.BINARY, parts[0], fin=False))
            for part in parts[1:-1]:
                await ada.send(frame(Opcode.CONT, part, fin=False))
            await ada.send(frame(Opcode.CONT, parts[-1]))
            assert [kind for kind, _ in await heard(ada)] == [MessageKind.UPDATE]

    async def test_all_of_a_flood_of_changes_counts_and_is_read_more_slowly(
        self, autojump_clock: Clock
    ) -> None:
        limits = yjs_limits(binary_per_s=100, binary_burst=50)
        kit = GatewayUnderTest(documents=FakeDocuments(), yjs=limits)
        async with kit.open() as nursery:
            bob = await yjs(kit, nursery, "bob", wire.step_1(EMPTY_VECTOR))
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            await heard(bob)
            began = trio.current_time()
            for start in range(0, 1000, 100):
                changes = [wire.change(typed(1, clock)) for clock in range(start, start + 100)]
                await ada.send(binary(*changes))
            found: list[Message] = []
            while len(found) < 1000:
                await trio.sleep(0.5)
                found += await heard(bob)
            assert [payload for _, payload in found] == [typed(1, n) for n in range(1000)]
            assert trio.current_time() - began > 2

    async def test_state_vectors_are_bounded_before_they_are_read(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.step_1(b"\xff" * 262_145))
            ((kind, _),) = await heard(ada)
            assert kind is MessageKind.DENIED
            await ada.send(binary(wire.step_1(EMPTY_VECTOR)))
            assert (MessageKind.STEP_2, EMPTY_UPDATE) in await heard(ada)

    async def test_awareness_that_comes_back_costs_nothing(self, autojump_clock: Clock) -> None:
        limits = yjs_limits(binary_per_s=1, binary_burst=5)
        kit = GatewayUnderTest(documents=FakeDocuments(), yjs=limits)
        async with kit.open() as nursery:
            bob = await yjs(kit, nursery, "bob", wire.awareness(state(8, 1, '{"a":1}')))
            ada = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            await heard(bob)
            for number in range(1, 21):
                # Each state of ada is sent to bob, whose library sends it back in its own words.
                await ada.say("presence:update", cursor={"x": number, "y": 0})
                await trio.sleep(0.1)
                entries = [
                    entry
                    for kind, payload in await heard(bob, awareness=True)
                    if kind is MessageKind.AWARENESS
                    for entry in read_entries(payload)
                    if entry.client != 8
                ]
                assert entries, number
                words = [encode_entry(e.client, e.clock, e.state + b" ") for e in entries]
                await bob.send(binary(wire.awareness(encode_entries(words))))
            began = trio.current_time()
            await bob.send(binary(wire.change(typed(1, 0))))
            assert (MessageKind.UPDATE, typed(1, 0)) in await heard(bob)
            assert trio.current_time() - began < 0.1
            # More than it was sent is paid for.
            await bob.send(binary(*[wire.awareness(encode_entries(words))] * 30))
            await bob.send(binary(wire.change(typed(1, 1))))
            assert await heard(bob) == []
            await trio.sleep(3)
            assert (MessageKind.UPDATE, typed(1, 1)) in await heard(bob)

    async def test_a_flood_of_text_drops_no_change(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            page = await connected(kit, nursery, "/ws/boards/demo?user_id=ada")
            await page.next()
            bob = await yjs(kit, nursery, "bob", wire.step_1(EMPTY_VECTOR))
            await heard(bob)
            await page.send(
                event("heartbeat") * 20 + binary(wire.change(typed(1, 0))) + event("heartbeat") * 20
            )
            await trio.sleep(1)
            assert (MessageKind.UPDATE, typed(1, 0)) in await heard(bob)


class TestUnfinishedMessages:
    async def test_a_long_message_may_take_its_time_as_long_as_it_comes(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            data = binary(wire.change(typed(1, 0, "x" * 2_000_000)))
            for start in range(0, len(data), 65_536):
                await ada.send(data[start : start + 65_536])
                await trio.sleep(1)
            await trio.sleep(0.1)
            assert kit.registry.get("demo") is not None
            assert len(await heard(ada)) >= 1

    async def test_one_that_stops_coming_ends(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await yjs(kit, nursery, "ada")
            await ada.send(binary(b"x" * 100_000)[:1000])
            began = trio.current_time()
            assert (await closed(ada))[1] == 4508
            assert trio.current_time() - began == pytest.approx(10, abs=1)

    async def test_beyond_the_limit_of_all_reading_pauses_until_there_is_room(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), yjs=yjs_limits(unfinished_bytes=65_536))
        async with kit.open() as nursery:
            idle = await yjs(kit, nursery, "eve")
            await idle.send(binary(b"x" * 100_000)[:65_600])
            await trio.sleep(5)
            ada = await yjs(kit, nursery, "ada", wire.step_1(EMPTY_VECTOR))
            assert await heard(ada)
            whole = binary(wire.change(typed(1, 0, "x" * 20_000)))
            await ada.send(whole[:15_000])
            await ada.send(whole[15_000:])
            assert await heard(ada) == []
            assert (await closed(idle))[1] == 4508
            await trio.sleep(1)
            assert [kind for kind, _ in await heard(ada)] == [MessageKind.UPDATE]
