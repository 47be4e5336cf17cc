"""Stock providers against a real server: what they see, and what is left after ``kill -9``."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest
import trio

from tests.server.process import ServerProcess, server_process
from tests.servers import postgres_server, postgres_url, store_url
from tests.yjs.conftest import ADMIN_TOKEN, SharedServer
from tests.yjs.rest import delete_document, document
from tests.yjs.stock import PATIENCE_S, Y_WEBSOCKET, Node
from tests.yjs.storm import helpers_of

__all__ = ["postgres_server", "postgres_url", "store_url"]

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

BOARD = "board-1"


def url_of(server: ServerProcess) -> str:
    return server.address.url.replace("http", "ws", 1)


@pytest.mark.parametrize("kind", Y_WEBSOCKET)
async def test_two_providers_converge_and_a_late_one_has_everything(
    clients: Node, kind: str, tmp_path: Path
) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/p.db") as server:
        assert helpers_of(server) == []
        ada = await clients.open("ada", url_of(server), BOARD, kind)
        bob = await clients.open("bob", url_of(server), BOARD, kind)
        await ada.insert("hello")
        await bob.assert_text("hello")
        await bob.insert(" world", 5)
        await ada.assert_text("hello world")
        late = await clients.open("late", url_of(server), BOARD, kind)
        await late.assert_text("hello world")
        for provider in (ada, bob, late):
            await provider.assert_nothing_pending()
        assert len(helpers_of(server)) == 1


@pytest.mark.parametrize("kind", Y_WEBSOCKET)
async def test_what_is_typed_without_a_connection_arrives_after_it(
    clients: Node, kind: str, tmp_path: Path
) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/p.db") as server:
        ada = await clients.open("ada", url_of(server), BOARD, kind)
        bob = await clients.open("bob", url_of(server), BOARD, kind)
        await ada.insert("both ")
        await bob.assert_text("both ")
        await ada.do("disconnect")
        await ada.insert("offline ", 5)
        await bob.insert("online ", 5)
        await ada.do("connect")
        await clients.assert_converged()
        assert sorted(str(await ada.text())) == sorted("both offline online ")
        await bob.assert_nothing_pending()


async def test_providers_of_all_versions_edit_one_board(clients: Node, tmp_path: Path) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/p.db") as server:
        providers = [await clients.open(kind, url_of(server), BOARD, kind) for kind in Y_WEBSOCKET]
        for seed, provider in enumerate(providers):
            await provider.do("edit", seed=seed, count=40)
        await clients.assert_converged()
        for provider in providers:
            await provider.assert_nothing_pending()


async def test_the_document_outlives_a_killed_server_and_yjs_finds_nothing_pending_in_it(
    clients: Node, store_url: str
) -> None:
    async with server_process(database__url=store_url) as server:
        ada = await clients.open("ada", url_of(server), BOARD)
        await ada.do("edit", seed=7, count=60)
        await ada.insert("kept ")
        text = str(await ada.text())
        bob = await clients.open("bob", url_of(server), BOARD)
        await bob.assert_text(text)
        await until_stored(server, text, clients)
        for provider in (ada, bob):
            await provider.do("destroy")
        helpers = helpers_of(server)
        await server.kill()
        # The helper sees the end of its channel.
        await until_gone(helpers)
    async with server_process(database__url=store_url) as server:
        late = await clients.open("late", url_of(server), BOARD)
        await late.assert_text(text)
        await late.assert_nothing_pending()


async def test_a_client_that_comes_back_gives_a_killed_server_what_it_had_not_stored(
    clients: Node, store_url: str
) -> None:
    async with server_process(database__url=store_url) as server:
        port = server.address.port
        ada = await clients.open("ada", url_of(server), BOARD)
        await ada.insert("just typed")
        await server.kill()
    async with server_process(database__url=store_url, server__port=port) as server:
        late = await clients.open("late", url_of(server), BOARD)
        await late.assert_text("just typed")
        await ada.assert_nothing_pending()


async def test_a_killed_helper_is_replaced_and_nobody_notices(
    clients: Node, tmp_path: Path
) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/p.db") as server:
        ada = await clients.open("ada", url_of(server), BOARD)
        bob = await clients.open("bob", url_of(server), BOARD)
        for number in range(5):
            (helper,) = helpers_of(server)
            os.kill(helper, signal.SIGKILL)
            await ada.insert(f"{number} ")
            await clients.assert_converged()
            # Asks the helper, which is started again.
            late = await clients.open(f"late-{number}", url_of(server), BOARD)
            await late.assert_text(str(await ada.text()))
            await late.do("destroy")
        assert str(await bob.text()) == "4 3 2 1 0 "
        assert await bob.do("events") == ["connected"]


async def test_a_deleted_document_is_gone(clients: Node, tmp_path: Path) -> None:
    async with server_process(
        database__url=f"sqlite:///{tmp_path}/p.db", auth__admin_token=ADMIN_TOKEN
    ) as server:
        ada = await clients.open("ada", url_of(server), BOARD)
        await ada.insert("secret")
        await until_stored(server, "secret", clients)
        await ada.do("destroy")
        assert await delete_document(server.address.url, BOARD, ADMIN_TOKEN) == 200
        assert await document(server.address.url, BOARD) is None
        late = await clients.open("late", url_of(server), BOARD)
        assert await late.text() == ""


async def test_a_server_that_is_stopped_stores_everything_first(
    clients: Node, tmp_path: Path
) -> None:
    path = tmp_path / "p.db"
    async with server_process(
        database__url=f"sqlite:///{path}", server__drain_timeout_s=0.2
    ) as server:
        ada = await clients.open("ada", url_of(server), BOARD)
        await ada.insert("last words")
        bob = await clients.open("bob", url_of(server), BOARD)
        await bob.assert_text("last words")
        helpers = helpers_of(server)
        await server.signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        await until_gone(helpers)
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT data FROM board_update").fetchall()
    connection.close()
    assert sum(b"last words" in data for (data,) in rows) == 1


async def until_stored(server: ServerProcess, text: str, clients: Node) -> None:
    """Wait until the server has a text, and then for the time in which it stores it."""
    with trio.fail_after(PATIENCE_S):
        while True:
            update = await document(server.address.url, BOARD)
            if update is not None:
                found = await clients.read([update])
                assert not found["isPending"]
                if found["text"] == text:
                    break
            await trio.sleep(0.05)
    await trio.sleep(2)


async def until_gone(pids: list[int]) -> None:
    with trio.fail_after(PATIENCE_S):
        while any(map(_is_there, pids)):  # noqa: ASYNC110 - another process has no events for us
            await trio.sleep(0.05)


def _is_there(pid: int) -> bool:
    """Whether a process runs; in a container nobody may fetch the exit code of an orphan."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_an_edit_between_the_halves_of_an_emoji_is_the_same_for_all(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ada = await clients.open("ada", shared_server.url, board, params={"user_id": "ada"})
    bob = await clients.open("bob", shared_server.url, board, params={"user_id": "bob"})
    await ada.insert("\U0001f600\U0001f600")
    await bob.assert_text("\U0001f600\U0001f600")
    await bob.insert("x", 1)
    await ada.insert("end", 5)
    expected = "\ufffdx\ufffd\U0001f600end"
    for provider in (ada, bob):
        await provider.assert_text(expected)
    late = await clients.open("late", shared_server.url, board, params={"user_id": "late"})
    await late.assert_text(expected)
    stored = await document(shared_server.address.url, board)
    assert stored is not None
    found = await clients.read([stored])
    assert found["text"] == expected
    assert not found["isPending"]
    await late.insert("!", 8)
    await ada.assert_text(expected + "!")
    for provider in (ada, bob, late):
        await provider.assert_nothing_pending()
