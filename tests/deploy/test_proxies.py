"""Caddy and nginx, by the files of ``deploy/``, in front of a server process, over TLS."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from presence_server.settings import Settings
from tests.deploy.proxy import DEPLOY, HOST, PROXIES, Proxy, proxied
from tests.server.kit import PATIENCE_S
from tests.server.process import ServerProcess, server_process
from tests.server.raw import ask, plain
from tests.server.test_drain import DEAF_IS_FINE, deaf_peer
from tests.servers import free_port

pytestmark = pytest.mark.e2e

ANN, BEN = "127.0.0.2", "127.0.0.3"
"""Where visitors come from; loopback has millions of addresses."""

QUERY = "user_id=ada&token=s3cret-1&session_id=s3cret-2"
SUBPROTOCOLS = ["presence.v1", "bearer.s3cret-3"]
HEADERS = {
    "Authorization": "Bearer s3cret-4",
    "Cookie": "session=s3cret-5",
    "Referer": "https://presence.example.com/boards/demo?token=s3cret-6",
}
"""All the places where a request can have what lets a reader of the log in."""


@pytest.fixture(params=PROXIES)
def name(request: pytest.FixtureRequest) -> str:
    """Which proxy."""
    return str(request.param)


@asynccontextmanager
async def house(
    name: str, folder: Path, **settings: object
) -> AsyncIterator[tuple[ServerProcess, Proxy, trio.Nursery]]:
    """A server, a proxy in front of it, and a nursery for its visitors."""
    async with (
        server_process(
            database__url=f"sqlite:///{folder}/presence.db",
            server__trusted_proxies=HOST,
            **settings,
        ) as server,
        proxied(name, folder, server.address) as proxy,
        proxy.visiting() as nursery,
    ):
        try:
            yield server, proxy, nursery
        finally:
            print(*server.log, sep="\n")  # For the reader of a failure.


async def test_a_board_and_its_pages_work_through_the_proxy(name: str, tmp_path: Path) -> None:
    async with house(name, tmp_path) as (_, proxy, nursery):
        page = await proxy.get("/boards/demo")
        assert page.status == 200
        assert b"<html" in page.body.lower()
        assert (await proxy.get("/static/presence-client.js")).status == 200
        assert (await proxy.get("/healthz")).status == 200
        ada = await proxy.join(nursery, "user_id=ada")
        bob = await proxy.join(nursery, "user_id=bob")
        assert (await ada.next())["type"] == "user:joined"
        await bob.send("presence:update", cursor={"x": 1, "y": 2})
        assert (await ada.next_of("presence:cursors"))["cursors"] == [["bob", 1, 2]]
        listed = await proxy.get("/api/boards/demo/presence")
        assert json.loads(listed.body)["count"] == 2
        await bob.send("board:leave")
        assert (await bob.close_code())[0] == 1000
        assert (await ada.next_of("user:left"))["user_id"] == "bob"


async def test_connections_that_a_proxy_keeps_carry_files_and_websockets(
    name: str, tmp_path: Path
) -> None:
    """A proxy with a pool sends an upgrade down any of its connections, and so it is served."""
    pool = {
        "upstream presence {": "upstream presence {\nkeepalive 8;",
        "''      close;": "''      '';",
    }
    async with (
        server_process(
            database__url=f"sqlite:///{tmp_path}/presence.db", server__trusted_proxies=HOST
        ) as server,
        proxied(name, tmp_path, server.address, **(pool if name == "nginx" else {})) as proxy,
        proxy.visiting() as nursery,
    ):
        for number in range(5):
            for _ in range(3):
                assert (await proxy.get("/static/presence-client.js")).status == 200
            # The WebSockets, and one or two that wait: nginx has a pool in each worker.
            assert number < len(_connections_to(server.address.port)) <= number + 3
            await proxy.join(nursery, f"user_id=user-{number}")
            assert (await proxy.get("/api/boards/demo/presence")).status == 200
        assert (await proxy.get("/static/presence-client.js")).status == 200


def _connections_to(port: int) -> list[str]:
    """The open connections to a port of this machine, at its end."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[1].endswith(f":{port:04X}") and " 01 " in line]


async def test_pages_of_the_proxys_host_may_connect_and_those_of_others_may_not(
    name: str, tmp_path: Path
) -> None:
    async with house(name, tmp_path) as (_, proxy, nursery):
        await proxy.join(nursery, "user_id=ada", Origin=f"https://{proxy.authority}")
        for origin in (f"https://evil.example:{proxy.port}", f"https://{HOST}", "null"):
            refused = await proxy.upgrade("user_id=eve", Origin=origin)
            assert refused.status == 403, origin
            assert json.loads(refused.body)["error"]["code"] == "FORBIDDEN"


async def test_limits_count_the_client_and_not_the_proxy_nor_what_the_client_claims(
    name: str, tmp_path: Path
) -> None:
    async with house(name, tmp_path, limits__connections_per_ip=2) as (_, proxy, nursery):
        for number in range(2):
            await proxy.join(nursery, f"user_id=ann-{number}", source=ANN)
        for claimed in ({}, {"X_Forwarded_For": "192.0.2.7"}, {"X_Forwarded_For": BEN}):
            refused = await proxy.upgrade("user_id=ann-3", source=ANN, **claimed)
            assert refused.status == 429
            assert int(refused.headers["retry-after"]) > 0
        await proxy.join(nursery, "user_id=ben", source=BEN)


async def test_a_visitor_that_says_nothing_is_not_cut_off(name: str, tmp_path: Path) -> None:
    """The proxy's patience is a second here, as the server's pings are quicker, too."""
    quick = {"limits__ping_interval_s": 0.2, "limits__ping_timeout_s": 10}
    changes = {"proxy_read_timeout 90s": "proxy_read_timeout 1s"} if name == "nginx" else {}
    async with (
        server_process(
            database__url=f"sqlite:///{tmp_path}/presence.db",
            server__trusted_proxies=HOST,
            **quick,
        ) as server,
        proxied(name, tmp_path, server.address, **changes) as proxy,
        proxy.visiting() as nursery,
    ):
        ada = await proxy.join(nursery, "user_id=ada")
        await trio.sleep(4)
        assert await ada.silence() == []


def test_no_proxy_cuts_a_connection_off_before_the_server_would() -> None:
    limits = Settings().limits
    timeouts = re.findall(r"proxy_(read|send)_timeout (\d+)s", (DEPLOY / "nginx.conf").read_text())
    assert {which for which, _ in timeouts} == {"read", "send"}
    for _, seconds in timeouts:
        assert int(seconds) > 2 * (limits.ping_interval_s + limits.ping_timeout_s)
    # Caddy has no such bounds unless it is given some.
    assert "timeout" not in (DEPLOY / "Caddyfile").read_text()


async def test_a_restart_behind_the_proxy_resumes_sessions(name: str, tmp_path: Path) -> None:
    port = free_port()
    settings: dict[str, object] = {
        "database__url": f"sqlite:///{tmp_path}/presence.db",
        "server__trusted_proxies": HOST,
        "server__port": port,
        "server__drain_timeout_s": 2,
    }
    async with (
        server_process(**settings) as server,
        proxied(name, tmp_path, server.address) as proxy,
        proxy.visiting() as nursery,
    ):
        ada = await proxy.connect(nursery, "user_id=ada")
        session_id = (await ada.next_of("board:joined"))["session_id"]
        await server.signal(signal.SIGTERM)
        code, reason = await ada.close_code()
        assert code == 1012
        assert json.loads(reason or "")["retry_after_ms"] <= 2000
        assert await server.exit_code() == 0
        async with server_process(**settings):
            ada = await proxy.connect(nursery, f"user_id=ada&session_id={session_id}")
            assert (await ada.next_of("board:joined"))["resumed"] is True


async def test_who_comes_while_the_server_drains_is_told_to_try_again(
    name: str, tmp_path: Path
) -> None:
    patient: dict[str, object] = {**DEAF_IS_FINE, "server__drain_timeout_s": 3600}
    async with house(name, tmp_path, **patient) as (server, proxy, nursery):
        ada = await proxy.join(nursery, "user_id=ada")
        # Keeps the drain going for as long as the test wants to look at it.
        async with deaf_peer(server.address):
            await server.signal(signal.SIGTERM)
            assert (await ada.close_code())[0] == 1012
            refused = await proxy.upgrade("user_id=bob")
            assert refused.status == 503
            assert int(refused.headers["retry-after"]) > 0


async def test_what_operators_see_is_not_for_visitors(name: str, tmp_path: Path) -> None:
    async with house(name, tmp_path) as (server, proxy, _):
        for path in ("/metrics", "/readyz"):
            assert (await proxy.get(path)).status == 404
            here = await ask(server.address, plain(f"GET {path} HTTP/1.1"))
            assert here.status == 200


async def test_browsers_are_told_never_to_come_without_tls_again(name: str, tmp_path: Path) -> None:
    async with house(name, tmp_path) as (_, proxy, _):
        for path, status in (("/boards/demo", 200), ("/nothing", 404), ("/metrics", 404)):
            answer = await proxy.get(path)
            assert answer.status == status
            assert answer.headers["strict-transport-security"] == "max-age=31536000", path


async def test_the_logs_hold_no_token_and_no_session(name: str, tmp_path: Path) -> None:
    async with house(name, tmp_path) as (_, proxy, nursery):
        ada = await proxy.connect(nursery, QUERY, subprotocols=SUBPROTOCOLS, **HEADERS)
        await ada.send("board:leave")
        await ada.close_code()
        await proxy.get(f"/api/boards/demo/presence?{QUERY}", **HEADERS)
        await _both_are_logged(proxy)
        assert "s3cret" not in proxy.logs()


async def test_the_logs_hold_none_while_there_is_no_server_either(
    name: str, tmp_path: Path
) -> None:
    """The proxies have another log for failures, which would have whole requests."""
    changes = {"lb_try_duration 5s": "lb_try_duration 0s"} if name == "caddy" else {}
    async with proxied(name, tmp_path, _nowhere(), **changes) as proxy:
        offered = ", ".join(SUBPROTOCOLS)
        upgrade = await proxy.upgrade(QUERY, Sec_WebSocket_Protocol=offered, **HEADERS)
        answer = await proxy.get(f"/api/boards/demo/presence?{QUERY}", **HEADERS)
        assert (upgrade.status, answer.status) == (502, 502)
        await _both_are_logged(proxy)
        assert "s3cret" not in proxy.logs()
        assert name != "caddy" or '"logger":"http.log.error' in proxy.logs()


@pytest.mark.nginx
async def test_the_logs_of_nginx_hold_none_when_its_connections_are_used_up(tmp_path: Path) -> None:
    # Two for its ports, one for its master, one for a visitor, and none to the server.
    few = {"worker_connections 32768": "worker_connections 4"}
    few |= {"worker_processes auto": "worker_processes 1"}
    async with proxied("nginx", tmp_path, _nowhere(), **few) as proxy:
        answer = None
        with trio.fail_after(PATIENCE_S):
            while answer is None:
                # Until it has noticed that who was there before has left.
                with contextlib.suppress(OSError):
                    answer = await proxy.upgrade(QUERY, **HEADERS)
        assert answer.status == 500
        assert "s3cret" not in proxy.logs()


def _nowhere() -> ListeningAddress:
    """Where nobody listens."""
    return ListeningAddress(HOST, free_port(), "http")


async def _both_are_logged(proxy: Proxy) -> None:
    """Wait for the lines about the WebSocket and the API: a proxy writes when it likes."""
    with trio.fail_after(PATIENCE_S):
        while not {"/ws/boards/demo", "/api/boards/demo"} <= _paths(proxy.logs()):  # noqa: ASYNC110
            await trio.sleep(0.05)


def _paths(log: str) -> set[str]:
    return set(re.findall(r"/(?:ws|api)/boards/demo", log))


@pytest.mark.nginx
async def test_nginx_sends_http_to_https_at_its_own_name(tmp_path: Path) -> None:
    """Caddy does so by itself, on port 80, which a test cannot have."""
    async with house("nginx", tmp_path) as (server, proxy, _):
        there = server.address._replace(port=proxy.http_port)
        # "Host: x" it says, of whoever's choosing.
        answer = await ask(there, plain("GET /boards/demo HTTP/1.1", "Connection: close"))
        assert answer.status == 301
        assert answer.headers["location"] == f"https://{HOST}/boards/demo"
        assert "strict-transport-security" not in answer.headers
