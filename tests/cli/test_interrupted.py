"""``watch`` and ``load`` as processes: how they end when somebody ends them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trio

from presence_server.client import PresenceClient, connect
from presence_server.protocol.messages import UserJoined, UserLeft
from presence_server.protocol.model import LeaveReason
from presence_server.server import ListeningAddress
from tests.command import server_command
from tests.server.kit import running_server
from tests.server.raw import ask, plain

ADMIN_TOKEN = "the administrator's token, long enough"
PATIENCE_S = 60.0
METRICS = plain("GET /metrics HTTP/1.1")

pytestmark = pytest.mark.e2e


class Scene(NamedTuple):
    """A command that uses the board ``demo``, and somebody there who sees the others."""

    address: ListeningAddress
    observer: PresenceClient
    process: trio.Process


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[Scene]:
    """A server, and a command as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if "PRESENCE" not in key}
    with trio.fail_after(PATIENCE_S):
        async with (
            running_server(folder, auth__admin_token=ADMIN_TOKEN) as address,
            connect(address.url, "demo", user_id="observer") as observer,
        ):
            process = await trio.lowlevel.open_process(
                server_command(*arguments, "--server", address.url),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                yield Scene(address, observer, process)
            finally:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()


async def arrivals(observer: PresenceClient, count: int) -> list[str]:
    """Wait until so many users have joined; their ids."""
    found: list[str] = []
    async for event in observer:
        if isinstance(event, UserJoined):
            found.append(event.payload.user.user_id)
            if len(found) == count:
                break
    return found


async def departures(observer: PresenceClient, count: int) -> list[LeaveReason]:
    """Wait until so many users have left; the reasons."""
    found: list[LeaveReason] = []
    async for event in observer:
        if isinstance(event, UserLeft):
            found.append(event.payload.reason)
            if len(found) == count:
                break
    return found


async def all_of(stream: trio.abc.ReceiveStream | None) -> str:
    assert stream is not None
    data = b""
    while chunk := await stream.receive_some():
        data += chunk
    return data.decode()


SIGNALS = pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
LOAD = ["load", "--board", "demo", "--seconds", "600"]


@SIGNALS
async def test_watch_leaves_the_board_and_says_by_which_signal_it_ended(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    async with running(tmp_path, "watch", "demo") as scene:
        await arrivals(scene.observer, 1)
        scene.process.send_signal(number)
        assert await departures(scene.observer, 1) == [LeaveReason.DISCONNECT]
        assert await scene.process.wait() == status
        assert await all_of(scene.process.stderr) == ""


@SIGNALS
async def test_load_leaves_with_all_its_users_and_says_how_it_went(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    async with running(tmp_path, *LOAD, "--users", "5") as scene:
        await arrivals(scene.observer, 5)
        scene.process.send_signal(number)
        assert await departures(scene.observer, 5) == [LeaveReason.DISCONNECT] * 5
        assert await scene.process.wait() == status
        # The board hears of a user a moment before the user does.
        assert re.search(r"joined +[0-5], queued 0, failed 0", await all_of(scene.process.stdout))
        assert await all_of(scene.process.stderr) == ""


async def test_load_lives_on_when_one_of_its_users_is_kicked(tmp_path: Path) -> None:
    async with running(tmp_path, *LOAD, "--users", "3") as scene:
        first, *_ = await arrivals(scene.observer, 3)
        request = plain(
            f"DELETE /api/boards/demo/users/{first} HTTP/1.1",
            f"Authorization: Bearer {ADMIN_TOKEN}",
        )
        assert (await ask(scene.address, request)).status == 200
        assert await departures(scene.observer, 1) == [LeaveReason.KICKED]
        # The kicked connection is gone once the load has taken the close frame.
        while b"presence_connections 3" not in (await ask(scene.address, METRICS)).body:
            pass
        scene.process.send_signal(signal.SIGINT)
        assert await departures(scene.observer, 2) == [LeaveReason.DISCONNECT] * 2
        assert await scene.process.wait() == 130
        said = await all_of(scene.process.stdout)
        assert "joined     3, queued 0, failed 1" in said
        assert "failure    1 x " in said
        assert await all_of(scene.process.stderr) == ""
