"""Who may change a profile, by which message, and who hears of it."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from tests.transport.gateway_kit import GatewayUnderTest, join
from tests.transport.sessions.test_identity_modes import error, gateway_of_passes

Clock = trio.testing.MockClock

NOT_ALLOWED = error("FORBIDDEN", 'profile:update needs a token with the claim "profile": "client"')


async def test_everybody_hears_of_a_new_profile_and_the_store_keeps_it(
    autojump_clock: Clock,
) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        eve, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
        await ada.say("profile:update", display_name=" Ada L ", color="#ABCDEF")
        for client in (eve, ada):
            user = (await client.next_of("user:updated"))["user"]
            assert isinstance(user, dict)
            assert user["user_id"] == "ada"
            assert (user["display_name"], user["color"]) == ("Ada L", "#abcdef")
        assert kit.store.profiles["ada"].display_name == "Ada L"
        assert await ada.answers() == await eve.answers() == []


async def test_a_profile_that_stays_the_same_is_no_news(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ada = await join(kit, nursery, "ada")
        await ada.say("profile:update", display_name="ada", avatar_url="no address")
        assert await ada.answers() == []


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "payload needs at least one of display_name, avatar_url, color"),
        ({"user_id": "eve"}, "payload needs at least one of display_name, avatar_url, color"),
        ({"color": 7}, "payload.color: Expected `str | null`, got `int`"),
    ],
)
async def test_what_changes_nothing_is_a_bad_message(
    payload: dict[str, object], message: str, autojump_clock: Clock
) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ada = await join(kit, nursery, "ada")
        await ada.say("profile:update", **payload)
        assert await ada.answers() == [error("INVALID_MESSAGE", message)]
        assert kit.metrics.bad_messages == 1


async def test_a_token_that_does_not_say_so_does_not_allow_it(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        ada = await join(kit, nursery, "x", token="ada:9999")
        await ada.say("profile:update", display_name="Eve")
        assert await ada.answers() == [NOT_ALLOWED]
        assert kit.metrics.bad_messages == 1


async def test_a_token_may_leave_the_profile_to_its_client(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        ada = await join(kit, nursery, "x", token="ada:9999:Ada:client")
        await ada.say("profile:update", display_name="Ada L")
        assert (await ada.next_of("user:updated"))["user"]["display_name"] == "Ada L"  # type: ignore[index]


async def test_a_newer_token_brings_its_profile(autojump_clock: Clock) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        eve = await join(kit, nursery, "x", token="eve:9999")
        ada = await join(kit, nursery, "x", token="ada:60:Ada")
        await ada.say("auth:refresh", token="ada:9999:Ada L")
        await ada.next_of("auth:refreshed")
        assert (await eve.next_of("user:updated"))["user"]["display_name"] == "Ada L"  # type: ignore[index]
        await ada.next_of("user:updated")
        await ada.say("auth:refresh", token="ada:9999")
        assert [answer["type"] for answer in await ada.answers()] == ["auth:refreshed"]


async def test_a_newer_token_gives_and_takes_the_right_to_change_the_profile(
    autojump_clock: Clock,
) -> None:
    kit = gateway_of_passes()
    async with kit.open() as nursery:
        ada = await join(kit, nursery, "x", token="ada:60:Ada")
        await ada.say("auth:refresh", token="ada:9999:Ada:client")
        await ada.say("profile:update", display_name="Mine")
        assert (await ada.next_of("user:updated"))["user"]["display_name"] == "Mine"  # type: ignore[index]
        await ada.say("auth:refresh", token="ada:9999")
        await ada.say("profile:update", display_name="Again")
        assert [answer["type"] for answer in await ada.answers()] == ["auth:refreshed", "error"]
