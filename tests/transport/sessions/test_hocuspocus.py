"""Sessions of clients of Hocuspocus: the address in front of each message, and what they hear."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.core.yjs import hocuspocus, wire
from presence_server.core.yjs.entries import read_entries
from presence_server.core.yjs.update import EMPTY_UPDATE
from presence_server.core.yjs.varint import write_text
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.refusals import RefusalCounter
from presence_server.settings.token_keys import TokenKey
from presence_server.transport.sessions import hocuspocus_link
from presence_server.transport.sessions.hocuspocus_link import HocuspocusLink
from presence_server.transport.sessions.tokens import TokenAuthority, TokenVerifier
from tests.core.documents.kit import state, typed
from tests.fake_documents import FakeDocuments
from tests.keys import SECRET, token
from tests.limits import board_limits
from tests.transport.frames import close, event, frame, read_frames
from tests.transport.gate.test_first_message import BOARD, auth, closed
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect
from tests.transport.sessions.test_yjs import heard as heard_by_yjs
from tests.transport.sessions.test_yjs import yjs

Clock = trio.testing.MockClock

READ_WRITE = hocuspocus.authenticated(may_edit=True)
READ_ONLY = hocuspocus.authenticated(may_edit=False)
STORED, NOT_TAKEN = hocuspocus.status(is_taken=True), hocuspocus.status(is_taken=False)
STEP_1 = wire.step_1(EMPTY_VECTOR)
AWARENESS = wire.MessageKind.AWARENESS


def addressed(*messages: bytes, address: bytes = BOARD) -> bytes:
    return b"".join(frame(Opcode.BINARY, address + message) for message in messages)


async def joined(
    kit: GatewayUnderTest,
    nursery: trio.Nursery,
    query: str = "user_id=ada",
    *messages: bytes,
    secret: str = "",
    address: bytes = BOARD,
) -> RawClient:
    """A client that has sent its first message, and more."""
    client = await connect(kit, nursery)
    first = frame(Opcode.BINARY, auth(secret, address))
    await client.upgrade(f"/hocuspocus?{query}", first + addressed(*messages, address=address))
    await trio.testing.wait_all_tasks_blocked()
    return client


async def heard(client: RawClient, address: bytes = BOARD) -> list[bytes]:
    """The messages that have come by now, without their address and without awareness."""
    found: list[bytes] = []
    await trio.testing.wait_all_tasks_blocked()
    with trio.move_on_after(0.001):
        while (seen := await client.frame()) is not None:
            if seen.opcode is Opcode.BINARY:
                assert seen.data.startswith(address), seen
                message = seen.data[len(address) :]
                if message[0] != hocuspocus.HocuspocusKind.AWARENESS:
                    found.append(message)
    return found


@pytest.fixture
def kit() -> GatewayUnderTest:
    return GatewayUnderTest(documents=FakeDocuments())


@pytest.fixture
def guarded() -> GatewayUnderTest:
    """A gateway whose clients need tokens."""
    verifier = TokenVerifier([TokenKey(SECRET, ("HS256",))], {})
    return GatewayUnderTest(
        documents=FakeDocuments(), authority=TokenAuthority(verifier, RefusalCounter())
    )


class TestDocument:
    async def test_clients_of_both_dialects_share_a_document(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery, "user_id=ada", STEP_1)
            assert await heard(ada) == [
                READ_WRITE,
                wire.step_2(EMPTY_UPDATE),
                STEP_1,
            ]
            bob = await yjs(kit, nursery, "bob", STEP_1)
            await heard_by_yjs(bob)
            await ada.send(addressed(wire.change(typed(1, 0))))
            assert await heard(ada) == [wire.change(typed(1, 0)), STORED]
            assert (await heard_by_yjs(bob)) == [(wire.MessageKind.UPDATE, typed(1, 0))]
            await bob.send(frame(Opcode.BINARY, wire.change(typed(2, 0))))
            assert await heard(ada) == [wire.change(typed(2, 0))]

    async def test_the_sync_step_1_is_confirmed_after_the_answer_to_ours(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery, "user_id=ada", STEP_1)
            await heard(ada)
            await ada.send(addressed(wire.step_2(EMPTY_UPDATE)))
            assert await heard(ada) == [STORED]

    async def test_a_sync_reply_is_a_sync_message(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await ada.send(addressed(b"\x04" + STEP_1[1:]))
            assert wire.step_2(EMPTY_UPDATE) in await heard(ada)

    async def test_a_session_behind_the_name_is_part_of_the_address(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        address = write_text("demo\0k3j2")
        async with kit.open() as nursery:
            ada = await joined(kit, nursery, "user_id=ada", STEP_1, address=address)
            assert wire.step_2(EMPTY_UPDATE) in await heard(ada, address)
            bob = await joined(kit, nursery, "user_id=bob", STEP_1)
            await bob.send(addressed(wire.change(typed(1, 0))))
            assert wire.change(typed(1, 0)) in await heard(bob)
            assert wire.change(typed(1, 0)) in await heard(ada, address)

    async def test_its_awareness_is_shown_to_the_others(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery, "user_id=ada", wire.awareness(state(7, 1, "{}")))
            bob = await yjs(kit, nursery, "bob", STEP_1)
            await trio.sleep(0.2)
            found = await heard_by_yjs(bob, awareness=True)
            entries = [e for k, payload in found if k is AWARENESS for e in read_entries(payload)]
            assert {e.client for e in entries if b'"ada"' in e.state} == {7}
            assert await heard(ada) == [READ_WRITE]

    async def test_many_confirmations_are_written_a_part_at_a_time(
        self, kit: GatewayUnderTest, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size = len(frame(Opcode.BINARY, BOARD + STORED)) - 4  # The server does not mask.
        monkeypatch.setattr(hocuspocus_link, "_MOST_STATUS_BYTES", 5 * size)
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            ((link, _),) = kit.connections._links.values()
            assert isinstance(link, HocuspocusLink)
            link.confirm(7, is_taken=True)
            assert await heard(ada) == [STORED] * 5
            link.confirm(1, is_taken=True)
            assert await heard(ada) == [STORED] * 3


class TestIdentity:
    async def test_the_token_is_in_the_first_message(
        self, guarded: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with guarded.open() as nursery:
            ada = await joined(guarded, nursery, secret=token("ada"))
            assert await heard(ada) == [READ_WRITE]
            room = guarded.registry.get("demo")
            assert room is not None
            assert [user.user_id for user in room.room.current_users()] == ["ada"]

    async def test_or_where_it_is_on_other_routes(
        self, guarded: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with guarded.open() as nursery:
            ada = await joined(guarded, nursery, f"token={token('ada')}")
            assert await heard(ada) == [READ_WRITE]

    async def test_the_one_in_the_message_counts_if_there_are_two(
        self, guarded: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with guarded.open() as nursery:
            await joined(guarded, nursery, f"token={token('ada')}", secret=token("bob"))
            room = guarded.registry.get("demo")
            assert room is not None
            assert [user.user_id for user in room.room.current_users()] == ["bob"]

    @pytest.mark.parametrize(
        ("secret", "code", "reason"),
        [
            ("", 4401, "a token is needed"),
            ("garbage", 4401, "the token is not valid"),
            (token("ada", ("other",)), 4403, "the token does not cover this board"),
        ],
    )
    async def test_permission_is_denied_before_the_close(
        self,
        guarded: GatewayUnderTest,
        autojump_clock: Clock,
        secret: str,
        code: int,
        reason: str,
    ) -> None:
        async with guarded.open() as nursery:
            client = await joined(guarded, nursery, secret=secret)
            denied = BOARD + hocuspocus.permission_denied(reason)
            assert await closed(client) == ([denied], code, "")
            assert not guarded.board_is_live()

    async def test_a_token_that_ends_is_denied(
        self, guarded: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with guarded.open() as nursery:
            client = await joined(guarded, nursery, secret=token("ada"))
            ((link, _),) = guarded.connections._links.values()
            assert isinstance(link, HocuspocusLink)
            expiry = link._permission._expiry
            assert expiry is not None
            expiry.renew(0)
            messages, code, _ = await closed(client)
            denied = BOARD + hocuspocus.permission_denied("the token has expired")
            assert (messages[-1], code) == (denied, 4401)

    async def test_a_newer_token_changes_the_role(
        self, guarded: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with guarded.open() as nursery:
            viewer = token("ada", role="viewer")
            ada = await joined(guarded, nursery, "", STEP_1, secret=viewer)
            assert await heard(ada) == [READ_ONLY, wire.step_2(EMPTY_UPDATE), STORED]
            await ada.send(addressed(wire.change(typed(1, 0))))
            assert await heard(ada) == [NOT_TAKEN]
            await trio.sleep(2)
            await ada.send(frame(Opcode.BINARY, auth(token("ada"))))
            assert await heard(ada) == [STEP_1, READ_WRITE]
            await ada.send(addressed(wire.step_2(typed(1, 0))))
            assert await heard(ada) == [wire.change(typed(1, 0)), STORED]

    async def test_a_later_token_that_is_not_valid_is_denied_and_the_earlier_one_stands(
        self, guarded: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with guarded.open() as nursery:
            ada = await joined(guarded, nursery, secret=token("ada"))
            await heard(ada)
            await ada.send(frame(Opcode.BINARY, auth(token("bob"))))
            denied = hocuspocus.permission_denied("the token is another user's")
            assert await heard(ada) == [denied]
            await ada.send(frame(Opcode.BINARY, auth("")))
            assert await heard(ada) == [READ_WRITE]

    async def test_without_tokens_a_later_one_means_nothing(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(frame(Opcode.BINARY, auth("anything")))
            assert await heard(ada) == [READ_WRITE]

    async def test_a_flood_of_tokens_costs_as_much_as_one_of_text(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(frame(Opcode.BINARY, auth("")) * 20)
            assert await heard(ada) == [READ_WRITE] * 5


class TestWaiting:
    async def test_a_client_that_waits_may_read_and_may_write_once_it_has_a_seat(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(documents=FakeDocuments(), board=board_limits(capacity=1))
        async with kit.open() as nursery:
            ada = await joined(kit, nursery, "user_id=ada", STEP_1)
            eve = await joined(kit, nursery, "user_id=eve", STEP_1)
            assert await heard(eve) == [READ_WRITE, READ_ONLY, wire.step_2(EMPTY_UPDATE)]
            await eve.send(addressed(wire.change(typed(9, 0))))
            assert await heard(eve) == []
            await ada.send(addressed(b"\x07"))
            await ada.rest()
            await trio.sleep(2)
            assert await heard(eve) == [READ_WRITE, STEP_1]
            await eve.send(addressed(wire.step_2(typed(9, 0))))
            assert await heard(eve) == [wire.change(typed(9, 0)), STORED, STORED]

    async def test_a_full_board_without_watching_closes_with_1013(
        self, autojump_clock: Clock
    ) -> None:
        board = board_limits(capacity=1, watch_limit=0)
        kit = GatewayUnderTest(documents=FakeDocuments(), board=board)
        async with kit.open() as nursery:
            await joined(kit, nursery, "user_id=ada")
            eve = await joined(kit, nursery, "user_id=eve")
            assert (await closed(eve))[:2] == ([], 1013)


class TestMessages:
    async def test_a_second_document_is_denied_and_the_first_goes_on(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        other = write_text("other")
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(
                frame(Opcode.BINARY, auth("", other)),
                addressed(STEP_1, b"\x07", address=other),
                addressed(STEP_1),
            )
            seen = await ada.frame()
            assert seen is not None
            denied = hocuspocus.permission_denied("one document a connection")
            assert seen.data == other + denied
            assert wire.step_2(EMPTY_UPDATE) in await heard(ada)
            assert not kit.board_is_live("other")

    async def test_a_ping_is_answered(self, kit: GatewayUnderTest, autojump_clock: Clock) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(frame(Opcode.BINARY, b"\x09") + frame(Opcode.BINARY, b"\x0a"))
            assert await heard(ada, b"") == [b"\x0a"]

    async def test_messages_of_the_application_are_signs_of_life(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(addressed(b"\x05\x02hi"))
            assert await heard(ada) == []

    @pytest.mark.parametrize(
        "data",
        [
            BOARD + b"\x06",
            BOARD + wire.change(b"garbage"),
            BOARD + b"\x02\x01\x00",
            b"\x7f",
        ],
    )
    async def test_20_damaged_messages_close_for_good(
        self, kit: GatewayUnderTest, autojump_clock: Clock, data: bytes
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(frame(Opcode.BINARY, data))
            assert await heard(ada) == [NOT_TAKEN]
            await ada.send(frame(Opcode.BINARY, data) * 20)
            messages, code, _ = await closed(ada)
            assert code == 4400
            assert messages[-1].startswith(BOARD + b"\x02\x01")

    async def test_a_text_message_is_a_bad_one(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await heard(ada)
            await ada.send(event("heartbeat"))
            assert await heard(ada) == [NOT_TAKEN]

    @pytest.mark.parametrize("data", [addressed(b"\x07"), close()])
    async def test_a_leave_ends_the_session_at_once(
        self, kit: GatewayUnderTest, autojump_clock: Clock, data: bytes
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await ada.send(data)
            frames = read_frames(await ada.rest())
            assert frames[-1].close.code == 1000
            assert not kit.board_is_live()

    async def test_messages_after_the_end_are_ignored(
        self, kit: GatewayUnderTest, autojump_clock: Clock
    ) -> None:
        async with kit.open() as nursery:
            ada = await joined(kit, nursery)
            await ada.send(addressed(b"\x07", b"\x06"))
            assert (await closed(ada))[1] == 1000
