"""A place in a queue outlives a restart for as long as it could be held, and not after its end."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from presence_server.server import ListeningAddress
from tests.server.kit import ADMIN_TOKEN, PATIENCE_S, Client, Visitors, running_server, visiting
from tests.server.raw import ask, plain
from tests.servers import postgres_server, postgres_url, store_url

__all__ = ["postgres_server", "postgres_url", "store_url"]

pytestmark = pytest.mark.e2e

HOUR_NS = 3_600_000_000_000

Ending = Callable[[ListeningAddress, Client, Client], Awaitable[None]]
"""Ends the place of a waiting client; the other client has the seat."""


async def leave(_address: ListeningAddress, waiting: Client, _seated: Client) -> None:
    await waiting.send("board:leave")
    await waiting.close_code()


async def be_kicked(address: ListeningAddress, waiting: Client, _seated: Client) -> None:
    head = f"Authorization: Bearer {ADMIN_TOKEN}"
    await ask(address, plain("DELETE /api/boards/demo/users/ada HTTP/1.1", head))
    assert (await waiting.close_code())[0] == 4410


async def stay_away(address: ListeningAddress, waiting: Client, _seated: Client) -> None:
    await waiting.drop()
    with trio.fail_after(PATIENCE_S):
        while await _queue_length(address) > 0:  # noqa: ASYNC110 - the server is only asked
            await trio.sleep(0.05)


async def get_a_seat_and_leave(_address: ListeningAddress, waiting: Client, seated: Client) -> None:
    await seated.send("board:leave")
    await waiting.next_of("board:joined")
    await waiting.send("board:leave")
    await waiting.close_code()


async def _queue_length(address: ListeningAddress) -> int:
    answer = await ask(address, plain("GET /api/boards/demo/presence HTTP/1.1"))
    length: int = json.loads(answer.body)["queue_length"]
    return length


async def wait_for_a_seat(visitors: Visitors, user_id: str, **query: str) -> tuple[Client, int]:
    """Connect, and return the position in the queue."""
    client = await visitors.open(user_id=user_id, **query)
    position = (await client.next_of("board:queued"))["position"]
    assert isinstance(position, int)
    return client, position


@pytest.mark.parametrize("end", [leave, be_kicked, stay_away, get_a_seat_and_leave])
async def test_a_place_that_ended_before_a_restart_is_not_given_after_it(
    tmp_path: Path, store_url: str, end: Ending
) -> None:
    values: dict[str, Any] = {
        "database__url": store_url,
        "board__capacity": 1,
        "auth__admin_token": ADMIN_TOKEN,
    }
    grace_s = 0.2 if end is stay_away else 30
    async with (
        running_server(tmp_path, queue__grace_s=grace_s, **values) as address,
        visiting(address) as visitors,
    ):
        seated = await visitors.join("seated")
        waiting = await visitors.open(user_id="ada")
        ticket = str((await waiting.next_of("board:queued"))["session_id"])
        await end(address, waiting, seated)
        if end is get_a_seat_and_leave:
            await visitors.join("seated")
    async with running_server(tmp_path, **values) as address, visiting(address) as visitors:
        assert (await wait_for_a_seat(visitors, "new"))[1] == 1
        assert (await wait_for_a_seat(visitors, "ada", session_id=ticket))[1] == 2


async def test_a_place_after_one_that_ended_outlives_a_restart(
    tmp_path: Path, store_url: str
) -> None:
    values: dict[str, Any] = {"database__url": store_url, "board__capacity": 1}
    async with running_server(tmp_path, **values) as address, visiting(address) as visitors:
        await visitors.join("seated")
        waiting, _ = await wait_for_a_seat(visitors, "ada")
        await leave(address, waiting, waiting)
        again = await visitors.open(user_id="ada")
        ticket = str((await again.next_of("board:queued"))["session_id"])
    async with running_server(tmp_path, **values) as address, visiting(address) as visitors:
        assert (await wait_for_a_seat(visitors, "new"))[1] == 1
        assert (await wait_for_a_seat(visitors, "ada", session_id=ticket))[1] == 1


@pytest.mark.parametrize("hours", [-1, 5, 40 * 24])
async def test_places_keep_their_order_if_the_clock_is_set_between_two_starts(
    tmp_path: Path, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets: dict[str, str] = {}
    async with (
        running_server(tmp_path, board__capacity=1) as address,
        visiting(address) as visitors,
    ):
        await visitors.join("seated")
        for name in ("first", "second"):
            client = await visitors.open(user_id=name)
            tickets[name] = str((await client.next_of("board:queued"))["session_id"])
    set_clock(monkeypatch, hours)
    async with (
        running_server(tmp_path, board__capacity=1) as address,
        visiting(address) as visitors,
    ):
        assert (await wait_for_a_seat(visitors, "new"))[1] == 1
        # In another order than they waited in, and each is ahead of the newcomer.
        assert (await wait_for_a_seat(visitors, "second", session_id=tickets["second"]))[1] == 1
        assert (await wait_for_a_seat(visitors, "first", session_id=tickets["first"]))[1] == 1


async def test_places_keep_their_order_if_the_clock_is_set_back_while_they_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets: dict[str, str] = {}
    async with (
        running_server(tmp_path, board__capacity=1) as address,
        visiting(address) as visitors,
    ):
        await visitors.join("seated")
        for number, name in enumerate(("first", "second", "third")):
            set_clock(monkeypatch, -number)
            client = await visitors.open(user_id=name)
            tickets[name] = str((await client.next_of("board:queued"))["session_id"])
    async with (
        running_server(tmp_path, board__capacity=1) as address,
        visiting(address) as visitors,
    ):
        assert (await wait_for_a_seat(visitors, "new"))[1] == 1
        for name, position in (("second", 1), ("third", 2), ("first", 1)):
            found = await wait_for_a_seat(visitors, name, session_id=tickets[name])
            assert (name, found[1]) == (name, position)


def set_clock(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Set the wall clock forward, or back, by so many hours against the true time."""
    monkeypatch.setattr(time, "time_ns", lambda: TRUE_NS() + hours * HOUR_NS)
    monkeypatch.setattr(time, "time", lambda: (TRUE_NS() + hours * HOUR_NS) / 1e9)


TRUE_NS = time.time_ns
