"""What viewers, and clients that wait for a seat, cannot do to a document by any message."""

from __future__ import annotations

import json

import pytest

from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import encode_entries, encode_entry
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from tests.core.yjs.updates import any_item, text, update
from tests.keys import token
from tests.server.process import server_process
from tests.yjs.conftest import SharedServer
from tests.yjs.raw import RawYjs
from tests.yjs.rest import document
from tests.yjs.stock import Y_WEBSOCKET, Node

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

CLIENT = 4242
TYPED = update((CLIENT, 0, [text("evil", parent="text")]))
EVERY_CHANGE = [
    wire.change(TYPED),
    wire.step_2(TYPED),
    # Merged first: long ones, those with an empty item, and what deletes the text of another.
    wire.change(update((CLIENT, 0, [text("evil" * 10_000, parent="text")]))),
    wire.step_2(update((CLIENT, 0, [text("evil" * 10_000, parent="text")]))),
    wire.change(update((CLIENT, 0, [text("", parent="text")]))),
    wire.change(update((CLIENT, 0, [any_item(b"\x7e", parent="map", key="evil")]))),
    wire.change(update(deletes=((1, [(0, 5)]),))),
    wire.step_2(update(deletes=((1, [(0, 5)]),))),
    # With holes, on what is not there, and damaged.
    wire.change(update((CLIENT, 7, [text("evil", left=(CLIENT, 6))]))),
    wire.step_2(update((CLIENT, 7, [text("evil", left=(CLIENT, 6))]))),
    wire.change(b"\1\1\1\1\0\0\0"),
    wire.step_1(EMPTY_VECTOR),
    wire.QUERY_AWARENESS,
]
"""The text that is there is of client 1, and has five characters."""


@pytest.mark.parametrize("path", ["/yjs", "/ws/boards"])
async def test_a_viewer_changes_nothing_by_any_message(
    clients: Node, token_server: SharedServer, board: str, path: str
) -> None:
    ada = await clients.open(
        "ada", token_server.url, board, params={"token": token("ada")}, client_id=1
    )
    await ada.insert("hello")
    query = {"token": token("eve", role="viewer")}
    async with await RawYjs.open(token_server.address, board, query, path=path) as eve:
        await eve.send(wire.step_1(EMPTY_VECTOR))
        await eve.heard(MessageKind.STEP_2)
        await eve.send(*EVERY_CHANGE)
        await eve.heard(MessageKind.DENIED)
        # All of it was read before this state.
        entry = encode_entry(CLIENT, 1, b"{}")
        await eve.send(wire.awareness(encode_entries([entry])))
        await eve.heard_state(CLIENT, 1)
        kinds = [event["code"] for event in eve.events if event["type"] == "error"]
        assert kinds.count("FORBIDDEN") == (path == "/ws/boards")
    await ada.insert("!", 5)
    late = await clients.open("late", token_server.url, board, params={"token": token("ada")})
    await late.assert_text("hello!")
    stored = await document(token_server.address.url, board, token("ada"))
    assert stored is not None
    assert (await clients.read([stored]))["text"] == "hello!"


@pytest.mark.parametrize("kind", Y_WEBSOCKET)
async def test_a_stock_client_that_may_only_look_sees_everything_and_changes_nothing(
    clients: Node, token_server: SharedServer, board: str, kind: str
) -> None:
    url = token_server.url
    ada = await clients.open("ada", url, board, params={"token": token("ada")})
    await ada.insert("hello")
    viewer = {"token": token("eve", role="viewer")}
    eve = await clients.open("eve", url, board, kind, viewer)
    await eve.assert_text("hello")
    await eve.insert("mine: ")
    await ada.insert(" world", 5)
    await eve.assert_text("mine: hello world")
    assert await ada.text() == "hello world"
    late = await clients.open("late", url, board, params={"token": token("bob")})
    await late.assert_text("hello world")


async def test_who_waits_for_a_seat_changes_nothing_by_any_message_and_is_asked_on_admission(
    clients: Node, board: str
) -> None:
    async with server_process(board__capacity=1, database__documents=False) as server:
        url = server.address.url.replace("http", "ws", 1)
        ada = await clients.open("ada", url, board, params={"user_id": "ada"}, client_id=1)
        await ada.insert("hello")
        bob = await clients.open("bob", url, board, params={"user_id": "bob"})
        await bob.assert_text("hello")
        await bob.insert("typed while waiting: ")
        query = {"user_id": "eve"}
        async with await RawYjs.open(server.address, board, query) as eve:
            await eve.send(wire.step_1(EMPTY_VECTOR))
            await eve.heard(MessageKind.STEP_2)
            await eve.send(*EVERY_CHANGE)
            state = json.dumps({"user": {"id": "ada"}}).encode()
            await eve.send(wire.awareness(encode_entries([encode_entry(CLIENT, 1, state)])))
            await ada.insert("!", 5)
            await eve.heard(MessageKind.UPDATE)
        assert await ada.text() == "hello!"
        await ada.shows_users()
        await ada.do("destroy")
        late = await clients.open("late", url, board, params={"user_id": "late"})
        await late.assert_text("typed while waiting: hello!")
