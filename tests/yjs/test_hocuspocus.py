"""The stock provider of Hocuspocus against a real server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio

from tests.keys import token
from tests.server.process import server_process
from tests.yjs.conftest import SharedServer
from tests.yjs.stock import PATIENCE_S, Y_WEBSOCKET, Node, Provider
from tests.yjs.storm import helpers_of
from tests.yjs.test_providers import BOARD, url_of

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

HOCUSPOCUS = "hocuspocus"


async def events(provider: Provider) -> list[str]:
    found = await provider.do("events")
    assert isinstance(found, list)
    return found


async def assert_settled(providers: Iterable[Provider]) -> None:
    """Nothing waits in a client, neither for others nor to be stored."""
    for provider in providers:
        await provider.all_stored()
        await provider.assert_nothing_pending()


async def test_two_providers_converge_and_a_late_one_has_everything(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ada = await clients.open("ada", shared_server.url, board, HOCUSPOCUS)
    bob = await clients.open("bob", shared_server.url, board, HOCUSPOCUS)
    await ada.insert("hello")
    await bob.assert_text("hello")
    await bob.insert(" world", 5)
    await ada.assert_text("hello world")
    late = await clients.open("late", shared_server.url, board, HOCUSPOCUS)
    await late.assert_text("hello world")
    for provider in (ada, bob, late):
        assert "authenticated read-write" in await events(provider)
    await assert_settled([ada, bob, late])


async def test_it_edits_one_board_with_y_websocket_and_both_see_each_other(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    kinds = (HOCUSPOCUS, *Y_WEBSOCKET)
    params = [{"user_id": kind} for kind in kinds]
    providers = [
        await clients.open(kind, shared_server.url, board, kind, query)
        for kind, query in zip(kinds, params, strict=True)
    ]
    for seed, provider in enumerate(providers):
        await provider.do("setAwareness", field="user", value={"name": "anybody"})
        await provider.do("edit", seed=seed, count=40)
    await clients.assert_converged()
    await providers[0].all_stored()
    for kind, provider in zip(kinds, providers, strict=True):
        await provider.assert_nothing_pending()
        others = set(kinds) - {kind}
        with trio.fail_after(PATIENCE_S):
            while not others <= await users_seen_by(provider):  # noqa: ASYNC110
                await trio.sleep(0.05)


async def users_seen_by(provider: Provider) -> set[str]:
    found = await provider.do("awareness")
    assert isinstance(found, list)
    return {entry["state"].get("user", {}).get("id") for entry in found}


async def test_what_is_typed_without_a_connection_arrives_after_it_and_is_stored(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ada = await clients.open("ada", shared_server.url, board, HOCUSPOCUS)
    bob = await clients.open("bob", shared_server.url, board, HOCUSPOCUS)
    await ada.insert("both ")
    await bob.assert_text("both ")
    await ada.do("disconnect")
    await ada.insert("offline ", 5)
    assert await ada.do("hasUnsynced")
    await bob.insert("online ", 5)
    await ada.do("connect")
    await clients.assert_converged()
    assert sorted(str(await ada.text())) == sorted("both offline online ")
    await assert_settled([ada, bob])
    await ada.do("drop")
    await bob.insert("again ", 5)
    await clients.assert_converged()
    await assert_settled([ada, bob])


async def test_what_counts_as_synced_is_there_after_a_crash(clients: Node, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    async with server_process(database__url=url) as server:
        ada = await clients.open("ada", url_of(server), BOARD, HOCUSPOCUS)
        assert await ada.insert("kept")
        await ada.all_stored()
        await server.kill()
        await ada.do("destroy")
    async with server_process(database__url=url) as server:
        late = await clients.open("late", url_of(server), BOARD, HOCUSPOCUS)
        await late.assert_text("kept")


async def test_a_killed_helper_loses_no_confirmation(clients: Node, tmp_path: Path) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/p.db") as server:
        ada = await clients.open("ada", url_of(server), BOARD, HOCUSPOCUS)
        for number in range(3):
            for helper in helpers_of(server):
                os.kill(helper, signal.SIGKILL)
            await ada.insert(f"{number} ")
            await ada.all_stored()
        assert str(await ada.text()) == "2 1 0 "


async def test_tokens_and_what_they_permit(
    clients: Node, token_server: SharedServer, board: str
) -> None:
    url = token_server.url
    editor = await clients.open("ada", url, board, HOCUSPOCUS, token=token("ada"))
    await editor.insert("hello")
    await editor.all_stored()
    viewer = await clients.open("eve", url, board, HOCUSPOCUS, token=token("eve", role="viewer"))
    await viewer.assert_text("hello")
    assert "authenticated readonly" in await events(viewer)
    await viewer.all_stored()
    await viewer.insert("never ")
    await editor.insert("! ", 5)
    await viewer.assert_text("never hello! ")
    assert await editor.text() == "hello! "
    assert await viewer.do("hasUnsynced")
    # A newer token: what the viewer typed is asked for.
    await viewer.do("sendToken", token=token("eve"))
    await editor.assert_text("never hello! ")
    await viewer.all_stored()
    for secret, reason in (
        ("", "a token is needed"),
        (token("ada", ("other",)), "the token does not cover this board"),
    ):
        name = f"denied {reason}"
        denied = await clients.open(name, url, board, HOCUSPOCUS, token=secret, waits=False)
        await denied.saw(name)
        await denied.do("destroy")
    in_url = {"token": token("bob")}
    bob = await clients.open("bob", url, board, HOCUSPOCUS, in_url)
    await bob.assert_text("never hello! ")


async def test_a_second_document_on_a_socket_is_denied(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    url = shared_server.url
    first = await clients.open("first", url, board, HOCUSPOCUS, shares="first")
    second = await clients.open("second", url, "board-2", HOCUSPOCUS, shares="first", waits=False)
    await second.saw("denied one document a connection")
    await first.insert("goes on")
    await first.all_stored()


async def test_who_waits_for_a_seat_watches_and_loses_nothing(
    clients: Node, tmp_path: Path
) -> None:
    async with server_process(
        database__url=f"sqlite:///{tmp_path}/p.db", board__capacity=1
    ) as server:
        url = url_of(server)
        ada = await clients.open("ada", url, BOARD, HOCUSPOCUS, {"user_id": "ada"})
        await ada.insert("hello")
        eve = await clients.open("eve", url, BOARD, HOCUSPOCUS, {"user_id": "eve"})
        await eve.assert_text("hello")
        await eve.saw("authenticated readonly")
        await eve.insert("typed while waiting, ")
        assert await eve.do("hasUnsynced")
        await ada.do("destroy")
        await eve.all_stored()
        late = await clients.open("late", url, BOARD, HOCUSPOCUS, {"user_id": "late"})
        await late.assert_text("typed while waiting, hello")


async def test_with_two_processes_each_board_is_served_by_its_own(
    clients: Node, tmp_path: Path
) -> None:
    async with server_process(
        database__url=f"sqlite:///{tmp_path}/p.db", server__processes=2
    ) as server:
        url = url_of(server)
        for number in range(4):
            board = f"board-{number}"
            providers = [
                await clients.open(f"{kind} {number}", url, board, kind)
                for kind in (HOCUSPOCUS, Y_WEBSOCKET[-1])
            ]
            await providers[0].insert("hello")
            for provider in providers:
                await provider.assert_text("hello")
                await provider.do("destroy")
