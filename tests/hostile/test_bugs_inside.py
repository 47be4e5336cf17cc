"""A bug, injected one place at a time: what it touches ends, the rest goes on, the log names it.

Bugs in a session, in a room and in a flush are in ``tests/server/test_crash.py`` and
``tests/rooms/test_room_task.py``; here each is found in the logs, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import structlog.testing
import trio

from presence_server.cache.memory import MemoryCache
from presence_server.core.cursors import CursorTray
from presence_server.core.room import Room
from presence_server.rooms.effects import EffectCarrier
from presence_server.rooms.fanout import Fanout
from presence_server.rooms.room_task import RoomTask
from presence_server.server import ListeningAddress
from presence_server.server.web_view import WebView
from presence_server.storage.repository import Repository
from presence_server.transport.gate.addresses import AddressCounter
from presence_server.transport.sessions.session_link import SessionLink
from presence_server.transport.wire.connection import Connection
from presence_server.transport.wire.ports import ConnectionAlarm
from presence_server.transport.wire.pump import Pump
from tests.hostile.kit import undisturbed
from tests.server.kit import ADMIN_TOKEN, PATIENCE_S, Client, Visitors, running_server, visiting
from tests.server.raw import ask, plain, talk

pytestmark = pytest.mark.e2e

Patch = pytest.MonkeyPatch
Entry = dict[str, object]


class Injected(Exception):
    """The bug."""


def broken(*_: object, **__: object) -> NoReturn:
    raise Injected("injected")


async def broken_async(*_: object, **__: object) -> NoReturn:
    raise Injected("injected")


class ServerWithVictim:
    """A server with a victim on the board "victim", and bystanders on "demo"."""

    def __init__(self, address: ListeningAddress, visitors: Visitors, victim: Client) -> None:
        self.address = address
        self.visitors = visitors
        self.victim = victim
        self.log: list[Entry] = []

    def logged(self, event: str) -> list[Entry]:
        """The entries of that name."""
        return [entry for entry in self.log if entry["event"] == event]

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - nothing tells us
                await trio.sleep(0.01)

    async def joins_again(self) -> None:
        """The board is there for the next one who comes."""
        await (await self.visitors.join("next", board_id="victim")).drop()


@asynccontextmanager
async def server_with_victim(
    folder: Path, *, ping_interval_s: float = 20
) -> AsyncIterator[ServerWithVictim]:
    """Bystanders must have noticed nothing in the end."""
    with structlog.testing.capture_logs() as log:
        async with (
            running_server(
                folder, auth__admin_token=ADMIN_TOKEN, limits__ping_interval_s=ping_interval_s
            ) as address,
            undisturbed(address, count=10),
            visiting(address) as visitors,
        ):
            found = ServerWithVictim(
                address, visitors, await visitors.join("ada", board_id="victim")
            )
            found.log = log  # type: ignore[assignment]
            yield found


def names_the_bug(entry: Entry) -> bool:
    error = entry["exc_info"]
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(Injected) is not None
    return isinstance(error, Injected)


async def test_in_a_handler_ends_that_connection(tmp_path: Path, monkeypatch: Patch) -> None:
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(SessionLink, "on_text", broken)
            await found.victim.socket.send_message("x")
            assert (await found.victim.close_code())[0] == 1011
        (entry,) = found.logged("connection crashed")
        assert names_the_bug(entry)
        await found.joins_again()


async def test_in_a_deadline_ends_that_connection(tmp_path: Path, monkeypatch: Patch) -> None:
    original = Connection.on_alarm

    def selective(self: Connection, alarm: ConnectionAlarm, now: float) -> None:
        link = self._handler
        is_late = isinstance(link, SessionLink) and link.profile.user_id == "late"
        if is_late and alarm is ConnectionAlarm.KEEPALIVE:
            broken()
        original(self, alarm, now)

    async with server_with_victim(tmp_path, ping_interval_s=0.2) as found:
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "on_alarm", selective)
            late = await found.visitors.join("late", board_id="victim")
            assert (await late.close_code())[0] == 1011
        (entry,) = found.logged("connection crashed")
        assert names_the_bug(entry)
        (entry,) = found.logged("deadline handler failed")
        assert entry["alarm"] == "KEEPALIVE"


@pytest.mark.parametrize("where", [(AddressCounter, "arrive"), (Pump, "add")])
async def test_in_accepting_ends_that_connection(
    where: tuple[type, str], tmp_path: Path, monkeypatch: Patch
) -> None:
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(*where, broken)
            async with (await talk(found.address)).stream as stream:
                with trio.fail_after(PATIENCE_S):
                    assert await stream.receive_some() == b""
        (entry,) = found.logged("connection failed before its handshake")
        assert entry["exc_info"]
        await found.joins_again()


@pytest.mark.parametrize(
    ("where", "attribute", "event"),
    [
        (Room, "handle", "room crashed"),
        (Room, "move", "room crashed"),
        (EffectCarrier, "carry_out", "room crashed"),
        (Room, "next_deadline", "room crashed"),
        (Fanout, "flush", "flush crashed"),
    ],
)
async def test_in_a_room_ends_the_sessions_of_its_board(
    where: type, attribute: str, event: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    original = getattr(where, attribute)

    def selective(self: object, *args: object) -> object:
        room = getattr(self, "room", self)
        if getattr(room, "board_id", None) == "demo":
            return original(self, *args)
        return broken()

    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(where, attribute, selective)
            await found.victim.send("presence:update", status="away")
            assert (await found.victim.close_code())[0] == 1011
        (entry,) = found.logged(event)
        assert entry["board"] == "victim"
        assert names_the_bug(entry)
        await found.joins_again()


@pytest.mark.parametrize("attribute", ["_watchdog", "_admission"])
async def test_in_a_task_of_a_room_ends_the_sessions_of_its_board(
    attribute: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(RoomTask, attribute, broken_async)
            late = await found.visitors.open("late", user_id="bob")
            assert (await late.close_code())[0] == 1011
        (entry,) = found.logged("room crashed")
        assert entry["board"] == "late"
        assert names_the_bug(entry)
        await found.visitors.join("bob", board_id="late")
        assert await found.victim.silence() == []


async def test_in_the_cursor_tick_ends_the_sessions_of_its_board(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(CursorTray, "take", broken)
            await found.victim.send("presence:update", cursor={"x": 1, "y": 2})
            assert (await found.victim.close_code())[0] == 1011
        (entry,) = found.logged("room crashed")
        assert entry["board"] == "victim"
        assert names_the_bug(entry)
        await found.joins_again()


async def test_in_the_watchdogs_tick_ends_the_sessions_of_its_board(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    async with running_server(
        tmp_path, board__idle_after_s=0.5, board__away_after_s=3600
    ) as address:
        with structlog.testing.capture_logs() as log:
            async with visiting(address) as visitors:
                ada = await visitors.join("ada", board_id="victim")
                with monkeypatch.context() as patch:
                    # The clock alone moves this room, when its user becomes idle.
                    patch.setattr(Room, "handle", broken)
                    assert (await ada.close_code())[0] == 1011
                await visitors.join("ada", board_id="victim")
    assert [entry["event"] for entry in log if entry["log_level"] == "error"] == ["room crashed"]


async def test_in_a_web_route_is_a_500_that_says_nothing(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    request = plain("GET /api/boards/demo/presence HTTP/1.1")
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(WebView, "presence", broken_async)
            answer = await ask(found.address, request)
            assert answer.status == 500
            assert b"injected" not in answer.body
            assert b"INTERNAL" in answer.body
        (entry,) = found.logged("request failed")
        assert names_the_bug(entry)
        assert (await ask(found.address, request)).status == 200


async def test_in_the_store_degrades_as_an_outage_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(Repository, "write", broken_async)
            # Nobody is held up by it.
            newcomer = await found.visitors.join("bob", board_id="victim")
            await newcomer.send("presence:update", status="away")
            assert (await newcomer.next_of("presence:update"))["status"] == "away"
            await found.until(lambda: bool(said_injected(found.log)))
            ready = await ask(found.address, plain("GET /readyz HTTP/1.1"))
            assert (ready.status, b'"database":"down"' in ready.body) == (200, True)
        with trio.fail_after(PATIENCE_S):
            while b"bob" not in (await history(found.address)):  # noqa: ASYNC110
                await trio.sleep(0.05)
        await found.joins_again()


async def test_in_the_cache_degrades_as_an_outage(tmp_path: Path, monkeypatch: Patch) -> None:
    async with server_with_victim(tmp_path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(MemoryCache, "set_many", broken_async)
            newcomer = await found.visitors.join("bob", board_id="victim")
            await newcomer.send("presence:update", status="away")
            assert (await newcomer.next_of("presence:update"))["status"] == "away"
            await found.until(lambda: bool(said_injected(found.log)))
        await found.joins_again()


def said_injected(log: list[Entry]) -> list[Entry]:
    """Entries that name the bug, whichever event they are."""
    return [
        entry
        for entry in log
        if "injected" in str(entry) or ("exc_info" in entry and names_the_bug(entry))
    ]


async def history(address: ListeningAddress) -> bytes:
    request = plain(
        "GET /api/boards/victim/history HTTP/1.1", f"Authorization: Bearer {ADMIN_TOKEN}"
    )
    return (await ask(address, request)).body
