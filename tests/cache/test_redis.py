from __future__ import annotations

from collections.abc import Iterator

import pytest

from presence_server.cache.base import CacheError, CacheUnavailable
from presence_server.cache.redis import RedisCache
from presence_server.presence.bridge import Bridge
from tests.servers import RedisServer, free_port, start_redis


@pytest.fixture
def locked_redis() -> Iterator[RedisServer]:
    """A Redis that wants a password, and knows a user who may do nothing."""
    server = start_redis("--requirepass", "sesame", "--user", "poor", "on", ">pw", "~x", "+ping")
    yield server
    server.remove()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis to be killed and frozen."""
    server = start_redis()
    yield server
    server.remove()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://h/0?foo=bar", "foo"),
        ("redis://h/0?decode_responses=true", "decode_responses"),
        ("redis://h/0?db=1&db=2", "db"),
        ("unix:///x?db=a", "db"),
        ("redis://h/x", "'x'"),
        ("redis://h/1/2", "'1/2'"),
        ("redis://h/0?health_check_interval=x", "health_check_interval"),
        ("redis://h/0?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("rediss://h/0?ssl_cert_reqs=nonsense", "ssl_cert_reqs"),
        ("rediss://h/0?ssl_ca_certs=/nowhere.pem", "ssl_ca_certs"),
        ("redis://h:0x1f/0", "not a URL"),
    ],
)
def test_a_url_that_cannot_work_is_refused_in_one_line_before_anything_connects(
    url: str, named: str
) -> None:
    with pytest.raises(CacheError, match=r"^redis\.url: [^\n]*$") as caught:
        RedisCache(url, 60.0)
    assert named in str(caught.value)
    assert not caught.value.may_pass


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://user:p%40ss@h:6379/5",
        "rediss://h/0?ssl_cert_reqs=none&protocol=3&client_name=presence",
        "rediss://:p@h:6379?ssl_cert_reqs=CERT_NONE",
        "redis://h?db=3&health_check_interval=10&socket_keepalive=yes",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_a_url_as_hosts_write_it_is_taken(url: str) -> None:
    RedisCache(url, 60.0)


@pytest.mark.redis
async def test_the_key_is_the_one_other_services_read(
    bridge: Bridge, redis_url: str, redis_server: RedisServer
) -> None:
    cache = RedisCache(redis_url, 60.0, operation_s=20)
    await bridge.call(cache.set_many, {"a:b": b'[{"user_id":"u"}]'})
    assert redis_server.command_line("GET", "presence:a:b") == b'$17\r\n[{"user_id":"u"}]\r\n'
    assert redis_server.command_line("TTL", "presence:a:b") in (b":60\r\n", b":59\r\n")
    await bridge.call(cache.aclose)


@pytest.mark.redis
async def test_a_missing_password_is_named_with_its_setting(
    bridge: Bridge, locked_redis: RedisServer
) -> None:
    wrong = locked_redis.url.replace("redis://", "redis://:wrong@")
    for url in (locked_redis.url, wrong):
        cache = RedisCache(url, 60.0, operation_s=20)
        with pytest.raises(CacheError, match=r"^redis\.url: .*password[^\n]*$") as caught:
            await bridge.call(cache.identity)
        assert not isinstance(caught.value, CacheUnavailable)
        assert "wrong" not in str(caught.value).replace("WRONGPASS", "")
        await bridge.call(cache.aclose)
    right = RedisCache(
        locked_redis.url.replace("redis://", "redis://:sesame@"), 60.0, operation_s=20
    )
    assert await bridge.call(right.identity)
    await bridge.call(right.aclose)


@pytest.mark.redis
async def test_missing_rights_are_named_with_the_setting(
    bridge: Bridge, locked_redis: RedisServer
) -> None:
    cache = RedisCache(
        locked_redis.url.replace("redis://", "redis://poor:pw@"), 60.0, operation_s=20
    )
    # Who may not ask for the identity still learns that Redis is there.
    assert await bridge.call(cache.identity) == "redis"
    with pytest.raises(CacheError, match=r"^redis\.url: the user lacks rights[^\n]*$"):
        await bridge.call(cache.set_many, {"b": b"[]"})
    await bridge.call(cache.aclose)


async def test_nobody_there_is_unavailable_not_wrong(bridge: Bridge) -> None:
    cache = RedisCache(f"redis://127.0.0.1:{free_port()}/0", 60.0)
    with pytest.raises(CacheUnavailable, match=r"^redis\.url: redis://127[^\n]*$"):
        await bridge.call(cache.identity)
    await bridge.call(cache.aclose)


@pytest.mark.redis
async def test_a_restarted_redis_has_another_identity_and_is_reached_at_once(
    bridge: Bridge, own_redis: RedisServer
) -> None:
    cache = RedisCache(own_redis.url, 60.0)
    before = await bridge.call(cache.identity)
    own_redis.kill()
    own_redis.start()
    assert await bridge.call(cache.identity) != before
    await bridge.call(cache.aclose)


@pytest.mark.redis
async def test_a_frozen_redis_is_given_up_and_no_reply_is_mixed_up_later(
    bridge: Bridge, own_redis: RedisServer
) -> None:
    cache = RedisCache(own_redis.url, 60.0, operation_s=0.5)
    await bridge.call(cache.set_many, {"a": b"[1]", "b": b"[2]"})
    own_redis.freeze()
    for _ in range(3):
        with pytest.raises(CacheUnavailable, match="does not answer"):
            await bridge.call(cache.get, "a")
    own_redis.thaw()
    assert await bridge.call(cache.get, "b") == b"[2]"
    assert await bridge.call(cache.get, "a") == b"[1]"
    await bridge.call(cache.aclose)


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://h", "redis://", "redis://h:port"])
def test_a_url_that_is_none_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(CacheError, match=r"^redis\.url: .*use redis://[^\n]*$"):
        RedisCache(url, 60.0)


@pytest.mark.redis
@pytest.mark.parametrize(
    "options",
    [("--maxmemory", "1"), ("--rename-command", "SET", "")],
    ids=["out of memory", "unknown command"],
)
async def test_an_error_of_redis_repeats_nothing_of_what_was_written(
    bridge: Bridge, options: tuple[str, ...]
) -> None:
    server = start_redis(*options)
    try:
        cache = RedisCache(server.url, 60, operation_s=20)
        with pytest.raises(CacheUnavailable) as caught:
            await bridge.call(cache.set_many, {"b": b'[{"display_name":"Ada Lovelace"}]'})
        assert "Ada" not in str(caught.value)
        assert str(caught.value).startswith(f"redis.url: {server.url}: ")
        assert len(str(caught.value)) > len(f"redis.url: {server.url}: ")
        await bridge.call(cache.aclose)
    finally:
        server.remove()
