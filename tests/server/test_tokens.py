"""A whole server in mode ``jwt``: the socket, the API, the command line and the logs."""

from __future__ import annotations

import json
import os
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio

from presence_server.cli import run
from presence_server.client import PresenceClosed, connect
from presence_server.server import ListeningAddress
from tests.keys import SECRET, token
from tests.server.kit import PATIENCE_S, running_server, visiting
from tests.server.process import server_process
from tests.server.raw import ask, plain
from tests.transport.frames import upgrade_request


def jwt_server(folder: Path) -> AbstractAsyncContextManager[ListeningAddress]:
    return running_server(folder, auth__mode="jwt", auth__jwt_secret=SECRET)


async def test_a_token_says_who_is_there(tmp_path: Path) -> None:
    async with jwt_server(tmp_path) as address, visiting(address) as visitors:
        eve = await visitors.open(token=token("eve"), user_id="nobody")
        await eve.next_of("board:joined")
        ada = await visitors.open(token=token("ada", name="Ada L"))
        joined = await ada.next_of("board:joined")
        assert joined["self"]["display_name"] == "Ada L"  # type: ignore[index]
        seen = await eve.next_of("user:joined")
        assert seen["user"]["user_id"] == "ada"  # type: ignore[index]
        await ada.send("auth:refresh", token=token("ada", exp=4_000_000_000))
        assert (await ada.next_of("auth:refreshed"))["expires_at"] == 4_000_000_000_000


async def test_a_newer_one_changes_the_profile_and_the_seat_stays(tmp_path: Path) -> None:
    async with jwt_server(tmp_path) as address, visiting(address) as visitors:
        eve = await visitors.open(token=token("eve"))
        ada = await visitors.open(token=token("ada", name="Ada"))
        await ada.next_of("board:joined")
        await eve.next_of("user:joined")
        await ada.send("profile:update", display_name="Mine")
        assert (await ada.next_of("error"))["code"] == "FORBIDDEN"
        await ada.send("auth:refresh", token=token("ada", name="Ada L"))
        assert (await eve.next())["user"]["display_name"] == "Ada L"  # type: ignore[index]
        await ada.send("auth:refresh", token=token("ada", profile="client"))
        await ada.send("profile:update", display_name="Mine", color="#010203")
        seen = await eve.next()
        assert seen["type"] == "user:updated"
        assert seen["user"]["display_name"] == "Mine"  # type: ignore[index]


async def test_without_one_that_holds_here_nobody_is(tmp_path: Path) -> None:
    async with jwt_server(tmp_path) as address, visiting(address) as visitors:
        for query, code, close_code in (
            ({}, "UNAUTHORIZED", 4401),
            ({"token": "x.y.z"}, "UNAUTHORIZED", 4401),
            ({"token": token(exp=1)}, "UNAUTHORIZED", 4401),
            ({"token": token(boards=["team-*"])}, "FORBIDDEN", 4403),
        ):
            client = await visitors.open(**query)
            assert (await client.next())["code"] == code
            assert (await client.close_code())[0] == close_code
        answer = await ask(address, plain("GET /api/boards/demo/presence HTTP/1.1"))
        assert answer.status == 401
        assert b"Bearer" in answer.headers["www-authenticate"].encode()


async def test_the_api_wants_one_for_the_board(tmp_path: Path) -> None:
    async with jwt_server(tmp_path) as address, visiting(address) as visitors:
        await (await visitors.open(token=token("ada"))).next_of("board:joined")
        for shown, status in (
            (token("eve", boards=["demo"]), 200),
            (token("eve", boards=["team"]), 403),
            ("x.y.z", 401),
        ):
            request = plain(
                "GET /api/boards/demo/presence HTTP/1.1", f"Authorization: Bearer {shown}"
            )
            answer = await ask(address, request)
            assert answer.status == status
            if status == 200:
                users = json.loads(answer.body)["users"]
                assert [user["user_id"] for user in users] == ["ada"]


async def test_the_command_line_mints_what_the_server_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESENCE_AUTH__JWT_SECRET", SECRET)
    assert run(["token", "--user", "ada", "--board", "demo*", "--name", "Ada"]) == 0
    minted = capsys.readouterr().out.strip()
    async with jwt_server(tmp_path) as address:
        with trio.fail_after(PATIENCE_S):
            async with connect(address.url, "demo-1", token=minted) as client:
                assert client.users["ada"].display_name == "Ada"
            with pytest.raises(PresenceClosed) as closed:
                async with connect(address.url, "other", token=minted):
                    pass
            assert closed.value.code == 4403


async def test_no_token_is_ever_logged(tmp_path: Path) -> None:
    good, bad = token("ada"), token("ada", exp=1)
    async with server_process(
        auth__mode="jwt",
        auth__jwt_secret=SECRET,
        database__url=f"sqlite:///{tmp_path / 'presence.db'}",
        logging__level="debug",
    ) as server:
        for shown in (good, bad):
            for request in (
                upgrade_request(f"/ws/boards/demo?token={shown}"),
                upgrade_request("/ws/boards/demo", Authorization=f"Bearer {shown}"),
                upgrade_request(
                    "/ws/boards/demo",
                    **{"Sec-WebSocket-Protocol": f"presence.v1, bearer.{shown}"},
                ),
                plain(f"GET /api/boards/demo/presence?token={shown} HTTP/1.1"),
                plain(f"GET /nowhere?token={shown} HTTP/1.1", f"Authorization: Bearer {shown}"),
            ):
                # What is refused ends by itself; a session is closed by the server's end.
                with trio.move_on_after(0.3):
                    await ask(server.address, request)
        await server.signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        log = "\n".join(server.log)
    assert "session connected" in log
    for shown in (good, bad):
        for part in shown.split("."):
            if len(part) > 40:
                assert part not in log
    assert SECRET not in log
    assert os.environ.get("PRESENCE_AUTH__JWT_SECRET") is None
