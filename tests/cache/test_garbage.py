"""A cache behind whose address something else answers, or a Redis that cannot be used."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from presence_server.cache.base import CacheError, CacheUnavailable
from presence_server.cache.redis import RedisCache
from presence_server.presence.bridge import Bridge
from tests.certificates import self_signed
from tests.servers import RedisServer, free_port, start_redis

ANSWERS = {
    "a web server": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "a mail server": b"220 mail.example.org ESMTP\r\n",
    "no number": b":abc\r\n",
    "a length below zero": b"$-5\r\n",
    "a length that is none": b"$x\r\nabc\r\n",
    "an endless array": b"*1000000000\r\n" + b"$1\r\na\r\n" * 50,
    "a map of odd things": b"%2\r\n*0\r\n*0\r\n+a\r\n%0\r\n",
    "an unknown type": b"?what\r\n",
    "bytes": bytes(range(256)) * 4,
    "OK to everything": b"+OK\r\n",
    "nothing at all": b"",
    "null to everything": b"$-1\r\n",
    "an array to everything": b"*2\r\n:1\r\n:2\r\n",
    "an error that is not UTF-8": b"-\xff\xfe\r\n",
    "nested without end": b"*1\r\n" * 5000,
}


@pytest.fixture(params=list(ANSWERS.values()), ids=list(ANSWERS))
def impostor(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port where each request gets the same answer; an empty one is the end."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                while self.request.recv(65536):
                    if not request.param:
                        return
                    self.request.sendall(request.param * 20)
            except OSError:
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


async def test_an_answer_that_is_none_is_an_outage_in_one_line(
    bridge: Bridge, impostor: int
) -> None:
    cache = RedisCache(f"redis://127.0.0.1:{impostor}/0", 60.0, operation_s=0.5)
    calls = [
        (cache.identity, ()),
        (cache.get, ("b",)),
        (cache.set_many, ({"b": b"[]"},)),
        (cache.delete_many, (["b"],)),
    ]
    for function, arguments in calls:
        try:
            await bridge.call(function, *arguments)  # type: ignore[arg-type]
        except CacheUnavailable as error:
            assert str(error).startswith("redis.url: redis://127.0.0.1:")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
    await bridge.call(cache.aclose)


async def refusal(bridge: Bridge, url: str) -> str:
    cache = RedisCache(url, 60.0)
    with pytest.raises(CacheError, match=r"^redis\.url: [^\n]*$") as caught:
        await bridge.call(cache.set_many, {"b": b"[]"})
    assert not isinstance(caught.value, CacheUnavailable)
    await bridge.call(cache.aclose)
    return str(caught.value)


@pytest.mark.redis
async def test_a_database_number_that_redis_does_not_have(
    bridge: Bridge, redis_server: RedisServer
) -> None:
    assert "database of that number" in await refusal(bridge, redis_server.url[:-1] + "99")


@pytest.mark.redis
async def test_a_redis_cluster(bridge: Bridge) -> None:
    server = start_redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        server.command_line("CLUSTER", "ADDSLOTSRANGE", "0", "1")
        assert "cluster" in await refusal(bridge, server.url)
    finally:
        server.remove()


@pytest.mark.redis
async def test_a_redis_without_tls(bridge: Bridge, redis_server: RedisServer) -> None:
    cache = RedisCache(redis_server.url.replace("redis://", "rediss://"), 60.0, operation_s=0.5)
    with pytest.raises(CacheUnavailable, match=r"in time; does it speak TLS\?$"):
        await bridge.call(cache.identity)
    await bridge.call(cache.aclose)


@pytest.mark.redis
async def test_an_error_of_a_write_names_nobody(bridge: Bridge) -> None:
    server = start_redis("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    try:
        cache = RedisCache(server.url, 60.0)
        with pytest.raises(CacheUnavailable) as caught:
            await bridge.call(cache.set_many, {"b": b'[{"display_name":"Ada"}]'})
        assert "Ada" not in str(caught.value)
        await bridge.call(cache.aclose)
    finally:
        server.remove()


@pytest.mark.redis
async def test_a_certificate_that_is_not_trusted(bridge: Bridge, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = self_signed(tmp_path / "other")
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key)]
    server = start_redis(*tls, "--tls-auth-clients", "no")
    try:
        url = f"rediss://127.0.0.1:{port}/0"
        assert "ssl_ca_certs" in await refusal(bridge, url)
        assert "ssl_ca_certs" in await refusal(bridge, f"{url}?ssl_ca_certs={other}")
        for query in (f"ssl_ca_certs={cert}", "ssl_cert_reqs=none"):
            cache = RedisCache(f"{url}?{query}", 60.0)
            await bridge.call(cache.set_many, {"b": b"[]"})
            await bridge.call(cache.aclose)
    finally:
        server.remove()


@pytest.mark.parametrize("password", ["hunter2/1", "1#hunter2", "hunter2?1", "hunter2@/1"])
def test_a_password_that_ends_early_is_not_shown(password: str) -> None:
    with pytest.raises(CacheError, match=r"^redis\.url: [^\n]*%2F") as caught:
        RedisCache(f"redis://:{password}@h:6379/0", 60.0)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("hosts", ["h1,h2", "h1:6379,h2:6379", "h1,h2:6379"])
def test_a_list_of_hosts_is_refused(hosts: str) -> None:
    with pytest.raises(CacheError, match=r"^redis\.url: [^\n]*host[^\n]*$"):
        RedisCache(f"redis://{hosts}/0", 60.0)
