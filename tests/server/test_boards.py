"""Boards over real sockets: joining, queueing, tabs, resuming."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from presence_server.web.guesses import GUESSES_AT_ONCE
from tests.server.kit import ADMIN_TOKEN, Client, running_server, visiting
from tests.server.raw import ask, plain

pytestmark = pytest.mark.e2e


async def test_the_bound_address_is_returned_and_serves(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address:
        assert address.host == "127.0.0.1"
        assert address.port > 0
        assert await get(address, "/readyz") == {
            "status": "ready",
            "database": "ok",
            "cache": "ok",
        }


async def test_two_people_see_each_other_come_move_and_go(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        ada = await visitors.join("ada", display_name="Ada")
        bob = await visitors.open(user_id="bob", color="#123456")
        snapshot = await bob.next()
        assert [u["user_id"] for u in users(snapshot)] == ["ada", "bob"]
        joined = await ada.next()
        assert joined["type"] == "user:joined"
        assert joined["user"] == snapshot["self"]
        await bob.send("presence:update", cursor={"x": 1.5, "y": -2}, status="away")
        assert (await ada.next_of("presence:update"))["status"] == "away"
        assert (await ada.next_of("presence:cursors"))["cursors"] == [["bob", 1.5, -2.0]]
        await bob.send("board:leave")
        left = await ada.next_of("user:left")
        assert (left["user_id"], left["reason"]) == ("bob", "disconnect")
        assert (await bob.close_code())[0] == 1000


async def test_a_full_board_queues_the_101st_and_lets_a_second_tab_in(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        seated: dict[int, Client] = {}

        async def join(number: int) -> None:
            seated[number] = await visitors.join(f"user-{number}")

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(join, number)
        waiting = await visitors.open(user_id="late")
        queued = await waiting.next()
        assert (queued["type"], queued["position"], queued["queue_length"]) == (
            "board:queued",
            1,
            1,
        )
        tab = await visitors.open(user_id="user-7")
        assert len(users(await tab.next())) == 100
        await seated[0].send("board:leave")
        joined = await waiting.next()
        assert joined["type"] == "board:joined"
        assert joined["resumed"] is False
        assert len(users(joined)) == 100


async def test_a_hundred_at_once_fill_fifty_seats_and_fifty_places(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path, board__capacity=50) as address,
        visiting(address) as visitors,
    ):
        first_events = []

        async def connect(number: int) -> None:
            client = await visitors.open(user_id=f"user-{number}")
            first_events.append(await client.next())

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(connect, number)
        kinds = [event["type"] for event in first_events]
        assert kinds.count("board:joined") == 50
        positions = [e["position"] for e in first_events if e["type"] == "board:queued"]
        assert sorted(map(int, map(str, positions))) == list(range(1, 51))


async def test_without_a_queue_a_full_board_says_so_and_closes(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path, board__capacity=1, queue__enabled=False) as address,
        visiting(address) as visitors,
    ):
        await visitors.join("ada")
        refused = await visitors.open(user_id="bob")
        error = await refused.next()
        assert (error["type"], error["code"]) == ("error", "BOARD_FULL")
        assert int(str(error["retry_after_ms"])) > 0
        assert (await refused.close_code())[0] == 1013


async def test_a_dropped_connection_resumes_and_nobody_notices(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        watcher = await visitors.join("ada")
        bob = await visitors.open(user_id="bob")
        session_id = str((await bob.next())["session_id"])
        await watcher.next_of("user:joined")
        await bob.drop()
        back = await visitors.open(user_id="bob", session_id=session_id)
        snapshot = await back.next()
        assert (snapshot["resumed"], snapshot["session_id"]) == (True, session_id)
        assert await watcher.silence() == []


async def test_a_reload_shows_others_nothing_and_a_closed_page_shows_a_leave(
    tmp_path: Path,
) -> None:
    async with (
        running_server(tmp_path, board__leave_grace_s=0.3) as address,
        visiting(address) as visitors,
    ):
        watcher = await visitors.join("ada")
        bob = await visitors.open(user_id="bob")
        session_id = str((await bob.next())["session_id"])
        await watcher.next_of("user:joined")
        await bob.socket.aclose(1001)
        back = await visitors.open(user_id="bob", session_id=session_id)
        assert (await back.next())["resumed"] is True
        assert await watcher.silence() == []
        await back.socket.aclose(1001)
        left = await watcher.next()
        assert (left["type"], left["reason"]) == ("user:left", "disconnect")


async def test_somebody_elses_session_id_gives_a_new_session(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        bob = await visitors.open(user_id="bob")
        session_id = str((await bob.next())["session_id"])
        thief = await visitors.open(user_id="eve", session_id=session_id)
        snapshot = await thief.next()
        assert snapshot["resumed"] is False
        assert snapshot["session_id"] != session_id


async def test_resuming_a_live_session_closes_the_old_connection(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        old = await visitors.open(user_id="bob")
        session_id = str((await old.next())["session_id"])
        new = await visitors.open(user_id="bob", session_id=session_id)
        assert (await new.next())["resumed"] is True
        assert (await old.close_code())[0] == 4409
        assert await new.silence() == []


async def test_two_tabs_are_one_person_until_the_last_one_leaves(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        watcher = await visitors.join("ada")
        first = await visitors.join("bob")
        await watcher.next_of("user:joined")
        second = await visitors.join("bob")
        await first.send("board:leave")
        await first.close_code()
        assert await watcher.silence() == []
        await second.send("board:leave")
        assert (await watcher.next())["type"] == "user:left"


async def test_a_silent_connection_is_closed_with_4408(tmp_path: Path) -> None:
    async with (
        running_server(
            tmp_path,
            board__timeout_s=0.4,
            board__heartbeat_interval_s=0.2,
            limits__ping_interval_s=60,
        ) as address,
        visiting(address) as visitors,
    ):
        silent = await visitors.join("ada")
        assert (await silent.close_code())[0] == 4408


async def test_the_board_is_readable_over_http(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        await visitors.join("ada")
        board = await get(address, "/api/boards/demo/presence")
        assert (board["count"], board["capacity"], board["queue_length"]) == (1, 100, 0)
        assert [u["user_id"] for u in users({"current_users": board["users"]})] == ["ada"]
        empty = await get(address, "/api/boards/nobody/presence")
        assert (empty["count"], empty["users"]) == (0, [])


async def test_an_administrator_removes_a_user(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path, auth__admin_token=ADMIN_TOKEN) as address,
        visiting(address) as visitors,
    ):
        watcher, target = await visitors.join("ada"), await visitors.join("bob")
        await watcher.next_of("user:joined")
        await get(address, "/api/boards/demo/users/bob", method="DELETE", token=ADMIN_TOKEN)
        assert (await target.close_code())[0] == 4410
        assert (await watcher.next())["reason"] == "kicked"
        body = await trio.to_thread.run_sync(fetch, address, "GET", "/api/boards", ADMIN_TOKEN)
        assert json.loads(body) == [
            {"board_id": "demo", "count": 1, "connected": 1, "queue_length": 0}
        ]


async def test_each_address_behind_a_proxy_has_its_own_guesses_of_the_admin_token(
    tmp_path: Path,
) -> None:
    async def status_for(visitor: str, token: str) -> int:
        head = (f"Authorization: Bearer {token}", f"X-Forwarded-For: {visitor}")
        return (await ask(address, plain("GET /api/boards HTTP/1.1", *head))).status

    async with running_server(
        tmp_path, auth__admin_token=ADMIN_TOKEN, server__trusted_proxies=("127.0.0.1",)
    ) as address:
        guesses = [await status_for("192.0.2.1", f"guess {n}") for n in range(50)]
        assert guesses[:GUESSES_AT_ONCE] == [401] * GUESSES_AT_ONCE
        # The others met an empty bucket, but for one a second.
        assert guesses.count(429) > 25
        assert await status_for("192.0.2.2", ADMIN_TOKEN) == 200
        text = (await ask(address, plain("GET /metrics HTTP/1.1"))).body.decode()
        for reason, status in (("admin_token", 401), ("admin_guesses", 429)):
            count = guesses.count(status)
            assert f'presence_refusals_total{{reason="{reason}"}} {count}.0' in text


async def test_metrics_count_what_happens(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        await visitors.join("ada")
        await visitors.join("bob")
        text = await trio.to_thread.run_sync(fetch, address, "GET", "/metrics", None)
        lines = dict(
            line.rsplit(" ", 1)
            for line in text.decode().splitlines()
            if line.startswith("presence_")
        )
        assert float(lines["presence_connections"]) == 2
        assert float(lines["presence_boards"]) == 1
        assert float(lines["presence_users"]) == 2
        assert float(lines["presence_join_seconds_count"]) == 2
        assert float(lines["presence_deliveries_total"]) == 1
        assert float(lines["presence_store_flushes_total"]) >= 2


def users(event: dict[str, object]) -> list[dict[str, object]]:
    """The list in a snapshot."""
    listed = event["current_users"]
    assert isinstance(listed, list)
    return listed


async def get(
    address: ListeningAddress, path: str, *, method: str = "GET", token: str | None = None
) -> dict[str, object]:
    """The JSON that a route answers."""
    body = await trio.to_thread.run_sync(fetch, address, method, path, token)
    answer: dict[str, object] = json.loads(body or b"{}")
    return answer


def fetch(address: ListeningAddress, method: str, path: str, token: str | None) -> bytes:
    """One HTTP request."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=20)
    try:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request(method, path, headers=headers)
        return connection.getresponse().read()
    finally:
        connection.close()
