"""A peer that froze: its connection stands, without a FIN, and nothing comes of it any more."""

from __future__ import annotations

import trio
import trio.testing

from presence_server.server.wiring import session_limits
from presence_server.settings import Settings
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, join

Clock = trio.testing.MockClock
Heard = list[tuple[float, dict[str, object]]]


def gateway_of_defaults() -> GatewayUnderTest:
    """The protocol promises its times for these."""
    settings = Settings.of({})
    return GatewayUnderTest(
        board=settings.board_limits(), connection=session_limits(settings).connection
    )


async def listen_to(client: RawClient, heard: Heard) -> None:
    """Read everything, answer pings, and note what came when."""
    while True:
        event = await client.next()
        heard.append((trio.current_time(), event))


async def test_a_frozen_peer_is_detached_within_45_s_and_gone_at_the_timeout_once(
    autojump_clock: Clock,
) -> None:
    kit = gateway_of_defaults()
    async with kit.open() as nursery:
        watcher = await join(kit, nursery, "eve")
        heard: Heard = []
        nursery.start_soon(listen_to, watcher, heard)
        begin = trio.current_time()
        # From here on it neither reads nor writes nor closes.
        await join(kit, nursery, "ada")
        await trio.sleep(45.5)
        (_, joined), (at, detached) = heard
        assert joined["type"] == "user:joined"
        assert (detached["type"], detached["user_id"]) == ("presence:update", "ada")
        assert detached["connected"] is False
        assert at - begin <= 45
        assert kit.gateway.connections == 1
        assert kit.store.closed == []
        await trio.sleep(1000)
        left = [(at, event) for at, event in heard if event["type"] == "user:left"]
        ((at, event),) = left
        assert (event["user_id"], event["reason"]) == ("ada", "timeout")
        assert round(at - begin) == 300
        assert len(kit.store.closed) == 1


async def test_a_full_board_of_frozen_peers_is_gone_all_together_and_each_once(
    autojump_clock: Clock,
) -> None:
    kit = gateway_of_defaults()
    async with kit.open() as nursery:
        watcher = await join(kit, nursery, "eve")
        heard: Heard = []
        nursery.start_soon(listen_to, watcher, heard)
        names = [f"frozen-{number}" for number in range(98)]
        for name in names:
            await join(kit, nursery, name)
        await trio.sleep(1300)
        left = [event["user_id"] for _, event in heard if event["type"] == "user:left"]
        assert sorted(left) == sorted(names)  # type: ignore[type-var]
        assert kit.gateway.connections == 1
