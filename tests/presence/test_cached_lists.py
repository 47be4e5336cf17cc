"""What readers get when the cache holds something that is not a list of users."""

from __future__ import annotations

import pytest
import structlog.testing

from presence_server.presence.ports import Counters, Timing
from presence_server.presence.publisher import CachePublisher
from tests.presence.fakes import DirectBridge, FakeCache


def publisher_of(cache: FakeCache) -> CachePublisher:
    return CachePublisher(cache, DirectBridge(), ttl_s=60, timing=Timing(), counters=Counters())


@pytest.mark.parametrize(
    "found",
    [b"", b"garbage", b"{}", b'[{"user_id":"ada"}', b"\xff", b"[1]", b"null", b"[" * 5000, b"[[]]"],
)
async def test_a_list_that_is_none_is_empty_and_said_without_its_text(
    autojump_clock: object, found: bytes
) -> None:
    cache = FakeCache()
    cache.boards["b"] = found
    publisher = publisher_of(cache)
    with structlog.testing.capture_logs() as logs:
        assert await publisher.current_users("b") == b"[]"
        assert await publisher.current_users("b") == b"[]"
    assert [entry["event"] for entry in logs] == ["the cache holds no list of users"]
    assert logs[0]["board"] == "b"
    assert "ada" not in str(logs)


async def test_a_good_list_comes_as_it_is(autojump_clock: object) -> None:
    cache = FakeCache()
    cache.boards["b"] = b'[{"user_id": "ada"} , {}]'
    assert await publisher_of(cache).current_users("b") == b'[{"user_id": "ada"} , {}]'


async def test_a_cache_that_crashes_on_a_read_gives_an_empty_list(autojump_clock: object) -> None:
    class Crashing(FakeCache):
        async def get(self, board_id: str) -> bytes | None:
            raise ValueError("a fault in the driver")

    assert await publisher_of(Crashing()).current_users("b") == b"[]"
