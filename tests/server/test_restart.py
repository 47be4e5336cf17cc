"""A server that goes down and comes back: sessions resume, nobody sees a leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from tests.server.kit import running_server, visiting

pytestmark = pytest.mark.e2e


async def test_sessions_resume_after_a_restart_and_nobody_sees_a_leave_or_join(
    tmp_path: Path,
) -> None:
    stop = trio.Event()
    sessions: dict[str, str] = {}
    async with (
        running_server(tmp_path, stop=stop, server__drain_timeout_s=1) as address,
        visiting(address) as visitors,
    ):
        clients = []
        for name in ("ada", "bob"):
            client = await visitors.open(user_id=name, display_name=name.title())
            sessions[name] = str((await client.next())["session_id"])
            clients.append(client)
        await clients[1].send(
            "presence:update", status="away", metadata={"tool": "pen"}, cursor={"x": 3, "y": 4}
        )
        await clients[0].next_of("presence:update")
        await clients[1].send("profile:update", display_name="Bob B", color="#010203")
        await clients[0].next_of("user:updated")
        stop.set()
        for client in clients:
            code, reason = await client.close_code()
            assert code == 1012
            assert 0 <= json.loads(reason or "")["retry_after_ms"] <= 1000
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        ada = await visitors.open(user_id="ada", session_id=sessions["ada"])
        snapshot = await ada.next()
        assert snapshot["resumed"] is True
        listed = snapshot["current_users"]
        assert isinstance(listed, list)
        bob = next(user for user in listed if user["user_id"] == "bob")
        assert (bob["display_name"], bob["color"]) == ("Bob B", "#010203")
        assert bob["status"] == "away"
        assert bob["metadata"] == {"tool": "pen"}
        assert bob["cursor"] == {"x": 3, "y": 4}
        back = await visitors.open(user_id="bob", session_id=sessions["bob"])
        assert (await back.next())["resumed"] is True
        assert await ada.silence() == []


async def test_who_does_not_come_back_is_gone_after_the_timeout(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        await visitors.join("ghost")
    async with (
        running_server(
            tmp_path,
            limits__ping_interval_s=60,
            board__timeout_s=2,
            board__heartbeat_interval_s=1,
        ) as address,
        visiting(address) as visitors,
    ):
        watcher = await visitors.open(user_id="ada")
        snapshot = await watcher.next()
        listed = snapshot["current_users"]
        assert isinstance(listed, list)
        if "ghost" in [user["user_id"] for user in listed]:  # Else the start took too long.
            while (event := await watcher.next_of("user:left"))["user_id"] != "ghost":
                pass
            assert event["reason"] == "timeout"


async def test_a_seat_is_still_taken_after_a_restart(tmp_path: Path) -> None:
    async with running_server(tmp_path, board__capacity=1) as address, visiting(address) as one:
        await one.join("ada")
    async with running_server(tmp_path, board__capacity=1) as address, visiting(address) as two:
        late = await two.open(user_id="bob")
        assert (await late.next())["type"] == "board:queued"


async def test_the_line_stands_in_its_old_order_after_a_restart(tmp_path: Path) -> None:
    sessions: dict[str, str] = {}
    async with running_server(tmp_path, board__capacity=1) as address, visiting(address) as one:
        await one.join("seated")
        for name in ("first", "second", "third"):
            client = await one.open(user_id=name)
            sessions[name] = str((await client.next_of("board:queued"))["session_id"])
    async with running_server(tmp_path, board__capacity=1) as address, visiting(address) as two:
        newcomer = await two.open(user_id="newcomer")
        assert (await newcomer.next())["position"] == 1
        # They come back in another order than they stood in, behind somebody new.
        clients = {}
        for name in ("third", "first", "second"):
            clients[name] = await two.open(user_id=name, session_id=sessions[name])
            queued = await clients[name].next()
            assert queued["session_id"] == sessions[name]
        positions = {}
        for name, client in [*clients.items(), ("newcomer", newcomer)]:
            await client.drop()
            back = await two.open(user_id=name, session_id=sessions.get(name, "unknown"))
            positions[name] = (await back.next())["position"]
        assert positions == {"first": 1, "second": 2, "third": 3, "newcomer": 4}
