"""Our own provider, on the socket of presence, beside stock ones on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.keys import token
from tests.server.process import server_process
from tests.yjs.conftest import SharedServer
from tests.yjs.stock import Y_WEBSOCKET, Node
from tests.yjs.test_providers import BOARD, url_of

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

OURS = "presence"


async def test_it_converges_with_stock_providers_of_each_version(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ours = await clients.open("ours", shared_server.url, board, OURS)
    stock = [await clients.open(kind, shared_server.url, board, kind) for kind in Y_WEBSOCKET]
    for seed, provider in enumerate((ours, *stock)):
        await provider.do("edit", seed=seed, count=40)
    await clients.assert_converged()
    await ours.assert_nothing_pending()
    await ours.do("setAwareness", field="mood", value="fine")
    for kind, provider in zip(Y_WEBSOCKET, stock, strict=True):
        await clients.assert_seen(kind, "mood", "fine")
        await provider.do("setAwareness", field="mood", value=kind)
        await clients.assert_seen("ours", "mood", kind)


async def test_what_a_lost_connection_did_not_carry_or_confirm_is_saved_after_it(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ours = await clients.open("ours", shared_server.url, board, OURS)
    stock = await clients.open("stock", shared_server.url, board)
    # The server has it, and has hardly stored it.
    await ours.insert("both ")
    await stock.assert_text("both ")
    lost = await ours.do("lose", text="")
    assert isinstance(lost, dict)
    assert lost["status"] == "connecting"
    await ours.assert_reaches(status="connected", synced=True, saved=True)
    # A deletion, which no state vector shows.
    await ours.do("remove", at=0, length=1)
    await stock.assert_text("oth ")
    lost = await ours.do("lose", text="offline ")
    assert isinstance(lost, dict)
    assert lost["saved"] is False
    await stock.insert("online ", 4)
    await ours.assert_reaches(status="connected", synced=True, saved=True)
    await clients.assert_converged()
    assert sorted(str(await ours.text())) == sorted("oth offline online ")


async def test_a_change_is_saved_when_it_outlives_a_killed_server(
    clients: Node, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    async with server_process(database__url=url) as server:
        ours = await clients.open("ours", url_of(server), BOARD, OURS)
        await ours.insert("durable")
        await ours.assert_reaches(saved=True)
        await server.kill()
    await ours.do("destroy")
    async with server_process(database__url=url) as server:
        late = await clients.open("late", url_of(server), BOARD, OURS)
        await late.assert_text("durable")


async def test_nothing_is_saved_where_documents_are_not_stored(
    clients: Node, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    async with server_process(database__url=url, database__documents=False) as server:
        ours = await clients.open("ours", url_of(server), BOARD, OURS)
        stock = await clients.open("stock", url_of(server), BOARD)
        await ours.insert("kept in memory")
        await stock.assert_text("kept in memory")
        await ours.assert_reaches(saved=False)


async def test_a_viewer_reads_and_becomes_an_editor_with_a_newer_token(
    clients: Node, token_server: SharedServer, board: str
) -> None:
    bob = {"token": token("bob")}
    editor = await clients.open("editor", token_server.url, board, params=bob)
    await editor.insert("written ")
    ada = {"token": token("ada", role="viewer")}
    ours = await clients.open("ours", token_server.url, board, OURS, ada)
    await ours.assert_text("written ")
    await ours.assert_reaches(readOnly=True)
    await ours.insert("typed ", 8)
    await ours.do("setToken", token=token("ada"))
    await ours.assert_reaches(readOnly=False, saved=True)
    await editor.assert_text("written typed ")


async def test_somebody_who_waits_for_a_seat_sends_what_they_typed_when_they_get_one(
    clients: Node, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    async with server_process(database__url=url, board__capacity=1) as server:
        seated = await clients.open("seated", url_of(server), BOARD)
        await seated.insert("there ")
        await clients.call("open", name="ours", kind=OURS, url=url_of(server), board=BOARD)
        ours = clients.named("ours")
        await ours.assert_reaches(readOnly=True)
        await ours.insert("typed ")
        await seated.do("destroy")
        await ours.assert_reaches(synced=True, readOnly=False, saved=True)
        late = await clients.open("late", url_of(server), BOARD)
        assert sorted(str(await late.text())) == sorted("there typed ")
