"""Sessions whose identity is a token: who gets in, for how long, and with which answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.protocol.errors import BadMessage, CloseCode, ErrorCode
from presence_server.protocol.profile import ProfileChange, UserProfile, clean_profile
from presence_server.refusals import RefusalReason
from presence_server.transport.sessions.handshake import Handshake
from presence_server.transport.sessions.identity import AccessDenied, Authority, Grant, Renewal
from tests.transport.frames import frame
from tests.transport.gateway_kit import EPOCH_MS, GatewayUnderTest, RawClient, connect, join

Clock = trio.testing.MockClock


class Passes(Authority):
    """An authority whose tokens can be read: ``user:seconds since the start:name:whose profile``.

    The last two parts may be missing.
    """

    def admit(self, handshake: Handshake) -> Grant:
        token = handshake.query.get("token")
        if token is None:
            raise AccessDenied(
                ErrorCode.UNAUTHORIZED,
                CloseCode.UNAUTHORIZED,
                "a token is needed",
                RefusalReason.TOKEN_MISSING,
            )
        if token == "other":
            raise AccessDenied(
                ErrorCode.FORBIDDEN,
                CloseCode.FORBIDDEN,
                "not this board",
                RefusalReason.TOKEN_NOT_FOR_BOARD,
            )
        return Grant(self._profile(token), self._expiry(token), self._is_clients(token))

    def renew(self, token: str, board_id: str, user_id: str) -> Renewal:
        if self._profile(token).user_id != user_id:
            raise BadMessage(ErrorCode.UNAUTHORIZED, "the token is another user's")
        name = token.split(":")[2:3]
        change = ProfileChange(*name)
        return Renewal(self._expiry(token), change, self._is_clients(token))

    def _profile(self, token: str) -> UserProfile:
        user_id, _, *name = token.split(":")
        return clean_profile(user_id, display_name=name[0] if name else None)

    def _expiry(self, token: str) -> int:
        return EPOCH_MS + 1000 * int(token.split(":")[1])

    def _is_clients(self, token: str) -> bool:
        return token.endswith(":client")


def gateway_of_passes() -> GatewayUnderTest:
    return GatewayUnderTest(
        authority=Passes(), now_ms=lambda: EPOCH_MS + int(trio.current_time() * 1000)
    )


async def last_words(client: RawClient) -> tuple[Sequence[dict[str, object]], int | None]:
    """Every event up to the close frame, and its code."""
    events: list[dict[str, object]] = []
    while (seen := await client.frame()) is not None:
        if seen.opcode is Opcode.CLOSE:
            return events, seen.close.code
        if seen.opcode is Opcode.PING:
            await client.send(frame(Opcode.PONG, seen.data))
        else:
            events.append(seen.event)
    return events, None


def error(code: str, message: str) -> dict[str, object]:
    return {"type": "error", "code": code, "message": message}


@pytest.mark.parametrize(
    ("query", "expected", "close_code"),
    [
        ("", error("UNAUTHORIZED", "a token is needed"), 4401),
        ("?token=other", error("FORBIDDEN", "not this board"), 4403),
    ],
)
async def test_who_may_not_come_in_is_told_why_on_the_websocket(
    query: str, expected: dict[str, object], close_code: int, autojump_clock: Clock
) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        await client.upgrade(f"/ws/boards/demo{query}")
        assert await last_words(client) == ([expected], close_code)
        assert not kit.board_is_live()
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert kit.gateway.connections == 0


async def test_what_they_send_along_does_nothing(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        client = await connect(kit, nursery)
        await client.upgrade("/ws/boards/demo", rest=b"\x81\x80\0\0\0\0")
        assert (await last_words(client))[1] == 4401
        assert kit.metrics.messages_received == 0


async def test_a_token_that_expires_ends_the_session(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        other = await join(kit, nursery, "x", token="eve:9999")
        client = await join(kit, nursery, "x", token="ada:15")
        await other.next_of("user:joined")
        events, code = await last_words(client)
        assert events[-1] == error("UNAUTHORIZED", "the token has expired")
        assert code == 4401
        assert 15 <= trio.current_time() <= 20
        assert await other.next_of("user:left") == {
            "type": "user:left",
            "user_id": "ada",
            "reason": "disconnect",
            "timestamp": EPOCH_MS + 15_000,
        }


async def test_a_token_that_is_renewed_in_time_goes_on(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        client = await join(kit, nursery, "x", token="ada:30")
        await trio.sleep(25)
        await client.say("auth:refresh", token="ada:70")
        refreshed = await client.next_of("auth:refreshed")
        assert refreshed["expires_at"] == EPOCH_MS + 70_000
        await trio.sleep(30)
        assert await client.answers() == []
        assert (await last_words(client))[1] == 4401
        assert 70 <= trio.current_time() <= 75


async def test_a_renewal_may_shorten_it(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        client = await join(kit, nursery, "x", token="ada:9999")
        await client.say("auth:refresh", token="ada:10")
        assert (await last_words(client))[1] == 4401
        assert 10 <= trio.current_time() <= 15


async def test_another_users_token_renews_nothing_and_the_old_one_stands(
    autojump_clock: Clock,
) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        client = await join(kit, nursery, "x", token="ada:30")
        await client.say("auth:refresh", token="eve:9999")
        assert await client.answers() == [error("UNAUTHORIZED", "the token is another user's")]
        events, code = await last_words(client)
        assert (events[-1], code) == (error("UNAUTHORIZED", "the token has expired"), 4401)
        assert 30 <= trio.current_time() <= 35


async def test_a_session_is_resumed_by_its_user_only(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        ada = await connect(kit, nursery)
        await ada.upgrade("/ws/boards/demo?token=ada:9999")
        session = await ada.next_of("board:joined")
        eve = await connect(kit, nursery)
        await eve.upgrade(f"/ws/boards/demo?token=eve:9999&session_id={session['session_id']}")
        answer = await eve.next_of("board:joined")
        assert answer["resumed"] is False
        assert answer["session_id"] != session["session_id"]
        assert await ada.answers() != []


async def test_without_tokens_there_is_nothing_to_renew(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        client = await join(kit, nursery, "ada")
        await client.say("auth:refresh", token="x")
        assert await client.answers() == [
            error("INVALID_MESSAGE", "type: auth:refresh needs auth.mode jwt")
        ]
