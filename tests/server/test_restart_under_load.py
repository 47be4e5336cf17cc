"""A restart under five hundred clients: all are told when to return, all do, nobody was gone."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from benchmarks.rawclient import RawClient, ServerClosed, board_path
from presence_server.server import ListeningAddress
from tests.server.process import server_process

pytestmark = pytest.mark.e2e

BOARDS = 10
USERS_OF_A_BOARD = 50
DRAIN_S = 2

PLACES = {
    f"user-{number}": f"board-{number % BOARDS}" for number in range(BOARDS * USERS_OF_A_BOARD)
}

Event = dict[str, object]


class Crowd:
    """Five hundred clients of one life of the server. Blocking: for a thread of its own."""

    def __init__(self) -> None:
        self.clients: dict[str, RawClient] = {}

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def come(self, address: ListeningAddress, sessions: dict[str, str]) -> dict[str, Event]:
        """All connect, with the session they have, before any reads; what each was told."""
        for name, board_id in PLACES.items():
            query = {"user_id": name}
            if name in sessions:
                query["session_id"] = sessions[name]
            path = board_path(board_id, **query)
            self.clients[name] = RawClient(address.host, address.port, path)
        snapshots = {}
        for name, client in self.clients.items():
            event = client.next()
            assert event["type"] == "board:joined", event
            payload = event["payload"]
            assert isinstance(payload, dict)
            snapshots[name] = payload
        return snapshots

    def comings_and_goings(self) -> list[Event]:
        """What anybody has seen of others up to the answer to a heartbeat."""
        for client in self.clients.values():
            client.send("heartbeat")
        seen = []
        for client in self.clients.values():
            while (event := client.next())["type"] != "heartbeat:ack":
                seen.append(event)
        return [event for event in seen if event["type"] in ("user:joined", "user:left")]

    def goodbyes(self) -> tuple[list[Event], list[ServerClosed]]:
        """Read all to the end: what came before the close frames, and these."""
        events, closes = [], []
        for client in self.clients.values():
            try:
                while True:
                    events.append(client.next())
            except ServerClosed as closed:
                closes.append(closed)
        return events, closes


async def test_five_hundred_clients_outlive_a_restart_and_nobody_sees_a_leave_or_join(
    tmp_path: Path,
) -> None:
    settings: dict[str, object] = {
        "database__url": f"sqlite:///{tmp_path / 'presence.db'}",
        # So that what is shown is the restart, and not how busy this machine is.
        "database__join_wait_s": 60,
    }
    in_thread = trio.to_thread.run_sync
    with ExitStack() as crowds:
        first, second = Crowd(), Crowd()
        crowds.callback(first.close)
        crowds.callback(second.close)
        async with server_process(**settings, server__drain_timeout_s=DRAIN_S) as server:
            snapshots = await in_thread(first.come, server.address, {})
            assert not any(snapshot["resumed"] for snapshot in snapshots.values())
            await in_thread(first.comings_and_goings)
            await server.signal(signal.SIGTERM)
            events, closes = await in_thread(first.goodbyes)
            first.close()
            assert await server.exit_code() == 0
        assert events == []
        assert {close.code for close in closes} == {1012}
        window_ms = DRAIN_S * 1000
        delays = [json.loads(close.reason)["retry_after_ms"] for close in closes]
        assert all(0 <= delay <= window_ms for delay in delays)
        # Spread: each tenth of the window is given to about 50 of the 500.
        assert {min(9, delay * 10 // window_ms) for delay in delays} == set(range(10))

        sessions = {name: str(snapshots[name]["session_id"]) for name in PLACES}
        async with server_process(**settings) as server:
            snapshots = await in_thread(second.come, server.address, sessions)
            assert all(snapshot["resumed"] is True for snapshot in snapshots.values())
            assert {name: snapshots[name]["session_id"] for name in PLACES} == sessions
            for snapshot in snapshots.values():
                listed = snapshot["current_users"]
                assert isinstance(listed, list)
                assert len(listed) == USERS_OF_A_BOARD
            assert await in_thread(second.comings_and_goings) == []
