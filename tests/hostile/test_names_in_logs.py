"""A display name is in no log line. If an error text holds one, it starts no line of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlencode

import pytest
import trio
from websockets.frames import Opcode

from presence_server.core.room import Room
from presence_server.server import ListeningAddress
from tests.hostile.logs import Style, logged
from tests.server.kit import ADMIN_TOKEN, PATIENCE_S, running_server
from tests.server.raw import ask, plain, talk
from tests.transport.frames import close, frame, text, upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

MARK = "INJECTED"
LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
STEERING = "\x07\x08\x1b\x7f\x9b"
NAME = "".join(f"{end}{MARK} [info] " for end in ("\r\n", *LINE_ENDS)) + STEERING
QUERY = urlencode(
    {"user_id": NAME[:100], "display_name": NAME, "avatar_url": NAME, "color": NAME,
     "token": NAME, "session_id": NAME}
)  # fmt: skip
EVENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[[a-z]+ *\] ")
"""How a line of ours begins on a console."""

styles = pytest.mark.parametrize("style", ["console", "json"])


async def hostile(address: ListeningAddress) -> RawClient:
    """Somebody with the name, on the board "demo"."""
    client = await talk(address)
    await client.upgrade(f"/ws/boards/demo?{QUERY}")
    joined = await client.next_of("board:joined")
    assert MARK in str(joined["self"])
    return client


async def say_it_everywhere(address: ListeningAddress) -> None:
    """The name in each place where a client can put a text."""
    name, latin = quote(NAME, safe=""), MARK + "\x85\x9b"
    client = await hostile(address)
    async with client.stream:
        await client.say("presence:update", metadata={NAME: NAME}, cursor={"x": 1, "y": 2})
        await client.say("presence:update", status=NAME)
        await client.say("auth:refresh", token=NAME)
        await client.say(NAME, **{NAME: NAME})
        await client.send(
            text(f'{{"type":"{MARK}'),
            frame(Opcode.PONG, MARK.encode()),
            frame(Opcode.BINARY, NAME.encode()),
            text(NAME, fin=False),
            frame(Opcode.CONT, NAME.encode()),
        )
        await client.answers()
        kick = f"DELETE /api/boards/demo/users/{quote(NAME[:100], safe='')} HTTP/1.1"
        assert (
            await ask(address, plain(kick, f"Authorization: Bearer {ADMIN_TOKEN}"))
        ).status == 200
        assert await client.end() == 4410
    leaver = await hostile(address)
    async with leaver.stream:
        await leaver.send(close(4000, MARK))
        assert await leaver.end() == 4000
    for request, status in (
        (upgrade_request(f"/ws/boards/{name}"), 400),
        (upgrade_request("/ws/boards/demo", Origin=latin), 403),
        (plain(f"GET /boards/{name} HTTP/1.1"), 400),
        (plain(f"GET /static/{name}?{QUERY} HTTP/1.1"), 404),
        (plain(f"{MARK} /healthz HTTP/1.1"), 405),
        (plain("GET /healthz HTTP/1.1", f"X-Forwarded-For: {latin}", f"User-Agent: {latin}"), 200),
        (plain("GET /api/boards/demo/history HTTP/1.1", f"Authorization: Bearer {latin}"), 401),
        (f"GET /{latin} HTTP/1.1\r\n\r\n".encode("latin-1"), 400),
        (f"{NAME}\r\n\r\n".encode(), 400),
    ):
        assert (await ask(address, request)).status == status, request


@styles
async def test_nothing_of_what_clients_say_is_logged(style: Style, tmp_path: Path) -> None:
    with logged(style) as log, trio.fail_after(2 * PATIENCE_S):
        async with running_server(tmp_path, auth__admin_token=ADMIN_TOKEN) as address:
            await say_it_everywhere(address)
    assert log.getvalue().count("session connected") == 2, "the level is debug"
    assert MARK not in log.getvalue()
    assert not set(log.getvalue()) & {*LINE_ENDS[1:], *STEERING}


@styles
async def test_a_name_in_an_error_is_part_of_a_line(
    style: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise LookupError(NAME)

    with logged(style) as log, trio.fail_after(PATIENCE_S):
        async with running_server(tmp_path) as address:
            client = await hostile(address)
            async with client.stream:
                monkeypatch.setattr(Room, "handle", broken)
                await client.say("presence:update", status="away")
                assert await client.end() == 1011
                monkeypatch.undo()
    assert MARK in log.getvalue(), "there is a name in the log"
    assert not set(log.getvalue()) & {*LINE_ENDS[1:], *STEERING}
    for line in log.getvalue().splitlines():
        if style == "json":
            assert json.loads(line)["event"]
        elif not EVENT.match(line):
            assert line.startswith(("    ", "Traceback (most recent call last):")), line
        else:
            assert MARK not in line
