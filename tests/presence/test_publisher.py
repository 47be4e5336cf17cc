from __future__ import annotations

import structlog
import trio
from trio.testing import MockClock

from presence_server.presence.ports import Counters, Timing
from presence_server.presence.publisher import CachePublisher
from tests.presence.fakes import DirectBridge, FakeCache

TTL = 60.0


def make(cache: FakeCache) -> CachePublisher:
    return CachePublisher(cache, DirectBridge(), ttl_s=TTL, timing=Timing(), counters=Counters())


async def test_a_change_is_in_the_cache_within_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    for turn in range(20):
        await trio.sleep(0.31 * (turn % 7))
        publisher.publish("b", b"[%d]" % turn)
        await trio.sleep(1)
        assert cache.boards == {"b": b"[%d]" % turn}


async def test_many_changes_of_a_board_are_few_writes(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    for turn in range(1000):
        publisher.publish("b", b"[%d]" % turn)
        await trio.sleep(0.01)
    assert cache.sets <= 51


async def test_an_emptied_board_is_deleted_within_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    publisher.publish("b", b"[1]")
    publisher.publish("c", b"[1]")
    await trio.sleep(1)
    publisher.publish("b", None)
    assert await publisher.current_users("b") == b"[]"
    await trio.sleep(1)
    assert cache.boards == {"c": b"[1]"}


async def test_a_board_that_comes_alive_again_is_not_deleted_after_all(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    publisher.publish("b", b"[1]")
    await trio.sleep(1)
    publisher.publish("b", None)
    publisher.publish("b", b"[2]")
    await trio.sleep(2)
    assert cache.boards == {"b": b"[2]"}


async def test_a_live_board_without_changes_is_refreshed_before_it_expires(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    publisher.publish("b", b"[1]")
    await trio.sleep(1)
    for _ in range(10):
        cache.boards.clear()
        await trio.sleep(TTL / 2)
        assert cache.boards == {"b": b"[1]"}


async def test_a_cache_that_restarts_empty_is_filled_again_within_three_seconds(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    boards = {f"b{n}": b"[%d]" % n for n in range(250)}
    for board_id, users in boards.items():
        publisher.publish(board_id, users)
    await trio.sleep(2)
    cache.restart()
    await trio.sleep(3)
    assert cache.boards == boards


async def test_an_outage_is_two_lines_in_the_log_and_leaves_the_cache_right(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    publisher.publish("gone", b"[0]")
    publisher.publish("stays", b"[0]")
    await trio.sleep(2)
    with structlog.testing.capture_logs() as logs:
        cache.is_down = True
        publisher.publish("gone", None)
        publisher.publish("changes", b"[1]")
        await trio.sleep(30)
        assert publisher.health.status == "down"
        assert await publisher.current_users("changes") == b"[1]"
        assert await publisher.current_users("gone") == b"[]"
        assert await publisher.current_users("elsewhere") == b"[]"
        cache.is_down = False
        await trio.sleep(3)
    assert cache.boards == {"stays": b"[0]", "changes": b"[1]"}
    assert [line["event"] for line in logs] == [
        "the cache does not answer",
        "the cache answers again",
    ]


async def test_a_frozen_cache_is_given_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    await trio.sleep(2)
    cache.is_frozen = True
    with trio.fail_after(1.5):
        assert await publisher.current_users("elsewhere") == b"[]"
    publisher.publish("b", b"[1]")
    await trio.sleep(5)
    assert publisher.health.status == "down"
    cache.is_frozen = False
    await trio.sleep(6)
    assert cache.boards == {"b": b"[1]"}


async def test_boards_of_other_servers_are_read_from_the_cache_and_own_ones_are_not(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cache = FakeCache()
    cache.boards["theirs"] = b"[{}]"
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    publisher.publish("ours", b"[1]")
    assert await publisher.current_users("theirs") == b"[{}]"
    assert cache.gets == 1
    assert await publisher.current_users("ours") == b"[1]"
    assert cache.gets == 1


async def test_flush_waits_for_the_cache(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    cache = FakeCache()
    publisher = make(cache)
    nursery.start_soon(publisher.run)
    publisher.publish("b", b"[1]")
    await publisher.flush()
    assert cache.boards == {"b": b"[1]"}


async def test_boards_that_cannot_be_deleted_are_forgotten_once_they_have_expired(
    autojump_clock: MockClock,
) -> None:
    publisher = make(FakeCache())
    for number in range(3000):
        publisher.publish(f"board-{number}", None)
        publisher.publish("again", None)
        await trio.sleep(1)
    assert len(publisher._emptied) <= TTL + 1
    publisher.publish("again", b"[1]")
    assert "again" not in publisher._emptied
