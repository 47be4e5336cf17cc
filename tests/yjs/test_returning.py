"""What a stock client does after it was closed, dropped or told to leave, and what others see."""

from __future__ import annotations

import time

import pytest

from presence_server.protocol.errors import RECONNECT, CloseCode, Reconnect
from presence_server.transport.sessions.yjs_closes import close_code_of_yjs
from tests.keys import token
from tests.yjs.conftest import ADMIN_TOKEN, MAX_BYTES, SharedServer
from tests.yjs.rest import delete_document
from tests.yjs.stock import PATIENCE_S, Y_WEBSOCKET, Node

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

STAYS_AWAY_ALL_THE_SAME = {CloseCode.CLEAN_LEAVE, CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_UTF8}
"""Codes after which a client should stay away, and a provider comes back: the first is sent to one
that has left, the others to one that does not speak WebSocket."""


async def test_a_provider_of_3_1_comes_back_after_every_code_that_asks_for_it_and_no_other(
    clients: Node,
) -> None:
    sent = {code: close_code_of_yjs(code, "")[0] for code in CloseCode}
    found = await clients.call(
        "afterCloses",
        kind=Y_WEBSOCKET[-1],
        codes=sorted(set(map(int, sent.values()))),
        seconds=PATIENCE_S,
    )
    assert isinstance(found, dict)
    comes_back = {code: found[str(int(sent[code]))] for code in CloseCode}
    should = {code: RECONNECT[code] is not Reconnect.NO for code in CloseCode}
    # On this socket a message that is too large is closed with the code of a document.
    assert comes_back == should | dict.fromkeys(STAYS_AWAY_ALL_THE_SAME, True)


async def test_a_document_that_was_deleted_brings_its_clients_back_to_a_new_one(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ada = await clients.open("ada", shared_server.url, board)
    bob = await clients.open("bob", shared_server.url, board)
    await ada.insert("secret")
    await bob.assert_text("secret")
    assert await delete_document(shared_server.address.url, board, ADMIN_TOKEN) == 200
    for provider in (ada, bob):
        await provider.had("close 1012")
        await provider.had("connected", times=2)


async def test_an_upload_that_is_too_large_ends_for_good(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    ada = await clients.open("ada", shared_server.url, board)
    bob = await clients.open("bob", shared_server.url, board)
    await ada.insert("x" * (MAX_BYTES + 1))
    await ada.had("closed 4413")
    await bob.insert("goes on")
    assert await bob.do("events") == ["connected"]
    late = await clients.open("late", shared_server.url, board)
    await late.assert_text("goes on")


@pytest.mark.parametrize("kind", Y_WEBSOCKET[1:])
async def test_a_token_that_expires_ends_its_session_and_a_newer_one_comes_back(
    clients: Node, token_server: SharedServer, board: str, kind: str
) -> None:
    url = token_server.url
    bob = await clients.open("bob", url, board, params={"token": token("bob")})
    for seconds in (3, 6, 12, 24):  # A busy machine needs some of it to connect.
        params = {"token": token("ada", exp=int(time.time()) + seconds)}
        ada = await clients.open(f"ada-{seconds}", url, board, kind, params, connects=False)
        await ada.do("connect")
        if await ada.do("synced", seconds=seconds):
            break
        await ada.do("destroy")
    await ada.insert("typed in time")
    await bob.assert_text("typed in time")
    await ada.had("close 4401")
    await bob.shows_users()
    await ada.do("disconnect")
    await ada.insert("offline, ")
    await ada.do("setParams", params={"token": token("ada")})
    await ada.do("connect")
    await bob.assert_text("offline, typed in time")


@pytest.mark.parametrize("kind", Y_WEBSOCKET[1:])
async def test_a_token_may_come_as_a_subprotocol(
    clients: Node, token_server: SharedServer, board: str, kind: str
) -> None:
    ada = await clients.open("ada", token_server.url, board, kind, token=token("ada"))
    bob = await clients.open("bob", token_server.url, board, kind, token=token("bob"))
    await ada.insert("hello")
    await bob.assert_text("hello")
    await bob.shows_users("ada")
    await ada.shows_users("bob")


@pytest.mark.parametrize("kind", Y_WEBSOCKET)
async def test_one_that_was_cut_off_is_seen_again_at_once(
    clients: Node, shared_server: SharedServer, board: str, kind: str
) -> None:
    ada = await clients.open("ada", shared_server.url, board, kind, {"user_id": "ada"})
    bob = await clients.open("bob", shared_server.url, board, params={"user_id": "bob"})
    await bob.shows_users("ada")
    await ada.do("disconnect")
    await bob.shows_users()
    # Its clock is the same as before, for which others would wait for its renewal: 15 s.
    await ada.do("connect")
    await bob.shows_users("ada", seconds=10)
    await ada.do("drop")
    await ada.had("connected", times=3)
    await bob.shows_users("ada", seconds=10)


async def test_two_tabs_whose_states_reach_the_server_through_each_other(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    url = shared_server.url
    eve = await clients.open("eve", url, board, params={"user_id": "eve"})
    await eve.do("watchStates")
    bob = await clients.open("bob", url, board, params={"user_id": "bob"}, speaks_to_tabs=True)
    # The server hears of this tab by the other one first.
    ada = await clients.open(
        "ada", url, board, params={"user_id": "ada"}, speaks_to_tabs=True, connects=False
    )
    await ada.do("connect")
    await eve.shows_users("ada", "bob")
    ids = {name: await each.do("clientId") for name, each in (("ada", ada), ("bob", bob))}
    await bob.do("destroy")
    await eve.shows_users("ada")
    await ada.insert("still here")
    await eve.assert_text("still here")
    await ada.do("destroy")
    await eve.shows_users()
    shown = await eve.do("shown")
    assert isinstance(shown, list)
    assert [ids["ada"], "ada", "ada"] in shown
    assert {user for client, user, _ in shown if client == ids["bob"]} == {"bob"}
