"""Awareness of stock clients through the server, and what impostors reach."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import trio

from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import encode_entries, encode_entry
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from tests.yjs.conftest import SharedServer
from tests.yjs.raw import RawYjs
from tests.yjs.stock import PATIENCE_S, Y_WEBSOCKET, Node, Provider

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]


@pytest.mark.parametrize("kind", Y_WEBSOCKET)
async def test_the_awareness_test_of_y_protocols_holds_through_the_server(
    clients: Node, shared_server: SharedServer, board: str, kind: str
) -> None:
    # The ids are those of the original.
    await clients.open("first", shared_server.url, board, kind, client_id=0)
    await clients.open("second", shared_server.url, board, kind, client_id=1)
    await clients.call("awarenessTest", first="first", second="second", seconds=PATIENCE_S)


async def test_a_storm_of_states_of_100_providers_is_one_message_a_tick_for_each(
    clients: Node, shared_server: SharedServer, board: str
) -> None:
    count, rounds = 100, 5
    for number in range(count):
        name = f"user-{number}"
        await clients.open(name, shared_server.url, board, params={"user_id": name})
    found = await clients.call("stormOfStates", rounds=rounds, ms=50, seconds=PATIENCE_S)
    assert isinstance(found, dict)
    assert found["isThere"]
    # Each of them sends all that it gets back. Relayed one by one it would be 100 a round for each,
    # and 100 times as many with the echoes. A tick is 50 ms.
    each = found["messages"] / count
    assert each <= found["tookMs"] / 50 * 1.5 + 20


class Impostors:
    """An observer, a victim, and an attacker with a user of its own."""

    def __init__(self, eve: Provider, ada: Provider, ada_id: int, mallory: RawYjs) -> None:
        self.eve, self.ada, self.ada_id, self.mallory = eve, ada, ada_id, mallory

    async def assert_nobody_is_shown_as_another(self) -> None:
        """The observer has never shown a state under another name than that of who sent it."""
        shown = await self.eve.do("shown")
        assert isinstance(shown, list)
        for client, user, name in shown:
            assert user == name, shown
            assert (user == "ada") == (client == self.ada_id), shown


@pytest.fixture
async def impostors(
    clients: Node, shared_server: SharedServer, board: str
) -> AsyncIterator[Impostors]:
    url = shared_server.url
    eve = await clients.open("eve", url, board, params=_named("eve"))
    await eve.do("watchStates")
    ada = await clients.open("ada", url, board, params=_named("ada"))
    await eve.shows_users("ada")
    ada_id = await ada.do("clientId")
    assert isinstance(ada_id, int)
    async with await RawYjs.open(shared_server.address, board, _named("mallory")) as mallory:
        await mallory.send(wire.step_1(EMPTY_VECTOR))
        await mallory.heard(MessageKind.STEP_2)
        yield Impostors(eve, ada, ada_id, mallory)


def _named(user: str) -> dict[str, str]:
    return {"user_id": user, "display_name": user}


def _state(client: int, clock: int, **state: object) -> bytes:
    entry = encode_entry(client, clock, json.dumps(state).encode())
    return wire.awareness(encode_entries([entry]))


async def test_a_user_that_says_to_be_another_is_shown_as_itself(impostors: Impostors) -> None:
    ada = {"id": "ada", "name": "ada", "color": "#ffffff", "avatar": "x", "role": "admin"}
    await impostors.mallory.send(_state(666, 1, user=ada, name="ada", cursor={"x": 1, "y": 1}))
    await impostors.eve.shows_users("ada", "mallory")
    await impostors.assert_nobody_is_shown_as_another()


async def test_the_id_of_another_stays_with_its_owner(impostors: Impostors) -> None:
    mallory, eve = impostors.mallory, impostors.eve
    await mallory.send(_state(666, 1))
    for clock in (1, 50, 2**31 - 1):
        await mallory.send(_state(impostors.ada_id, clock, user={"id": "ada"}, evil=True))
    # Nor does a removal reach it.
    entry = encode_entry(impostors.ada_id, 2**31 - 1, b"null")
    await mallory.send(wire.awareness(encode_entries([entry])))
    await impostors.ada.do("setAwareness", field="step", value=1)
    await eve.shows_users("ada", "mallory")
    await impostors.assert_nobody_is_shown_as_another()


async def test_an_id_that_left_is_nobodys_for_a_while(impostors: Impostors) -> None:
    mallory, eve = impostors.mallory, impostors.eve
    await mallory.send(_state(666, 1))
    await eve.shows_users("ada", "mallory")
    await impostors.ada.do("disconnect")
    await eve.shows_users("mallory")
    # An echo that was under way when its owner left, and somebody who takes the id.
    await mallory.send(_state(impostors.ada_id, 1, user={"id": "ada", "name": "ada"}))
    await mallory.send(_state(impostors.ada_id, 100, user={"id": "ada", "name": "ada"}))
    await mallory.send(_state(666, 2, step=2))
    await mallory.heard_state(666, 2)
    await trio.sleep(0.2)
    await eve.shows_users("mallory")
    await impostors.ada.do("connect")
    await eve.shows_users("ada", "mallory")
    await impostors.assert_nobody_is_shown_as_another()


async def test_a_connection_that_announces_the_id_of_another_does_not_get_it(
    impostors: Impostors, shared_server: SharedServer, board: str
) -> None:
    stolen = _state(impostors.ada_id, 1000, user={"id": "ada", "name": "ada"})
    async with await RawYjs.open(shared_server.address, board, _named("mallory"), stolen) as thief:
        await thief.send(wire.step_1(EMPTY_VECTOR))
        await thief.heard(MessageKind.STEP_2)
        await thief.send(_state(667, 1))
        await impostors.eve.shows_users("ada", "mallory")
        await impostors.ada.do("setAwareness", field="step", value=1)
        await thief.heard_state(667, 1)
    await impostors.assert_nobody_is_shown_as_another()
