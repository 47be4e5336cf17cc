"""Awareness is presence: cursors, activity, and users who do not speak Yjs."""

from __future__ import annotations

import json

from presence_server.core.events import Parting, ProfileChanged, Updated
from presence_server.core.yjs.wire import MessageKind
from presence_server.protocol.model import Cursor, Update
from presence_server.protocol.profile import ProfileChange
from tests.core.documents.kit import Board, Client, state


def names(client: Client) -> dict[int, object]:
    """Who a client hears of, by id."""
    found: dict[int, object] = {}
    for entry in client.states():
        value = json.loads(entry.state)
        found[entry.client] = None if value is None else value["user"]["name"]
    return found


def test_what_changed_goes_to_all_with_the_next_tick_in_one_message() -> None:
    board = Board()
    first, second = board.join("ada"), board.join("grace")
    board.load()
    board.say(first, state(7, 1, '{"user":{"name":"Eve"}}'))
    board.say(second, state(8, 1, '{"user":{"name":"Eve"}}'))
    assert second.take_all() == []
    board.tick()
    assert names(first) == names(second) == {7: "Ada", 8: "Grace"}


def test_a_cursor_in_awareness_is_the_users_cursor() -> None:
    board = Board()
    client = board.join("ada")
    board.load()
    board.say(client, state(7, 1, '{"cursor":{"x":1,"y":2}}'))
    assert board.room.current_users()[0].cursor == Cursor(1.0, 2.0)
    board.say(client, state(7, 2, '{"cursor":{"anchor":1}}'))
    assert board.room.current_users()[0].cursor == Cursor(1.0, 2.0)
    board.say(client, state(7, 3, '{"cursor":null}'))
    assert board.room.current_users()[0].cursor is None


def test_a_changed_state_is_an_activity_and_a_renewal_is_none() -> None:
    board = Board(idle_after_s=5, away_after_s=9)
    client = board.join("ada")
    board.load()
    board.say(client, state(7, 1, "{}"))
    board.wait(6)
    board.say(client, state(7, 2, "{}"))
    assert board.room.current_users()[0].status == "idle"
    board.say(client, state(7, 3, '{"a":1}'))
    assert board.room.current_users()[0].status == "online"


def test_damaged_awareness_is_refused() -> None:
    board = Board()
    client = board.join("ada")
    board.load()
    board.say(client, state(7, 1, "[]"))
    board.say(client, b"\x05")
    assert len(client.refused) == 2


def test_users_without_yjs_show_up_and_leave() -> None:
    board = Board()
    reader = board.join("grace", text=True)
    client = board.join("ada")
    board.load()
    board.say(client, state(7, 1, "{}"))
    board.tick()
    seen = names(client)
    assert sorted(map(str, seen.values())) == ["Ada", "Grace"]
    (number,) = [key for key in seen if key != 7]
    moved = Updated(reader.number, reader.session_id, Update(cursor=Cursor(3.0, 4.0)))
    board.apply(moved)
    board.tick()
    (entry,) = client.states()
    assert (entry.client, json.loads(entry.state)["cursor"]) == (number, {"x": 3.0, "y": 4.0})
    board.part(reader, Parting.LEFT)
    board.tick()
    assert names(client) == {number: None}


def test_a_user_without_yjs_who_drops_goes_after_a_moment_and_comes_back() -> None:
    board = Board()
    reader = board.join("grace", text=True)
    client = board.join("ada")
    board.load()
    board.tick()
    client.take_all()
    board.part(reader, Parting.DROPPED)
    board.wait(4)
    assert None not in names(client).values()
    board.wait(2)
    assert None in names(client).values()
    board.join("grace", text=True, resume=reader.session_id)
    board.tick()
    assert list(names(client).values()) == ["Grace"]


def test_a_user_who_begins_to_speak_yjs_shows_up_once() -> None:
    board = Board()
    client, other = board.join("ada"), board.join("grace", text=True)
    board.load()
    board.tick()
    assert set(names(client).values()) == {"Ada", "Grace"}
    board.say(other, state(8, 1, "{}"))
    board.tick()
    assert sorted(map(str, names(client).values())) == ["Grace", "None"]
    board.query(client)
    assert set(names(client).values()) == {"Ada", "Grace"}


def test_a_new_name_is_stamped_once_the_client_says_its_state_again() -> None:
    board = Board()
    client, tab, other = board.join("ada"), board.join("ada"), board.join("ada", text=True)
    board.load()
    board.say(client, state(7, 1, "{}"))
    board.say(tab, state(8, 1, "{}"))
    board.part(tab)
    board.tick()
    client.take_all()
    change = ProfileChange(display_name="Countess")
    board.apply(ProfileChanged(other.number, other.session_id, change))
    ((entry),) = client.states()
    assert (entry.client, entry.clock, entry.state) == (7, 1, b"null")
    board.say(client, state(7, 2, "{}"))
    board.tick()
    assert names(client)[7] == "Countess"


def test_clients_are_asked_to_say_their_state_as_often_as_the_board_hears_of_a_new_name() -> None:
    board = Board()
    tabs = [board.join("ada") for _ in range(3)]
    other = board.join("ada", text=True)
    board.load()
    for number, tab in enumerate(tabs):
        board.say(tab, state(number, 1, "{}"))
    board.tick()
    for tab in tabs:
        tab.take_all()
    for number in range(20):
        change = ProfileChange(display_name=f"Ada {number}")
        board.apply(ProfileChanged(other.number, other.session_id, change))
    assert [len(tab.states()) for tab in tabs] == [1, 1, 1]
    board.tick()
    nulls = [[entry for entry in tab.states() if entry.state == b"null"] for tab in tabs]
    assert [len(found) for found in nulls] == [1, 1, 1]


def test_a_query_is_answered_at_once_and_then_once_a_second() -> None:
    board = Board()
    client = board.join("ada")
    board.say(client, state(7, 1, "{}"))
    board.load()
    board.tick()
    board.wait(2)
    client.take_all()
    for _ in range(100):
        board.query(client)
    assert [entry.client for entry in client.states()] == [7]
    board.wait(0.9)
    board.query(client)
    assert client.states() == []
    board.wait(0.2)
    assert [entry.client for entry in client.states()] == [7]
    board.wait(3)
    assert client.states() == []


def test_while_the_document_is_loaded_questions_show_everybody_once_a_second() -> None:
    board = Board()
    client = board.join("ada")
    board.say(client, state(7, 1, "{}"))
    board.tick()
    client.take_all()
    for _ in range(100):
        board.ask(client)
    assert [entry.client for entry in client.states()] == [7]
    board.wait(1.1)
    assert [entry.client for entry in client.states()] == [7]


def test_the_servers_states_are_said_again_before_clients_forget_them() -> None:
    board = Board(timeout_s=100_000, heartbeat_interval_s=5000)
    board.join("grace", text=True)
    client = board.join("ada")
    board.load()
    board.say(client, state(7, 1, "{}"))
    board.tick()
    for _ in range(5):
        client.take_all()
        board.wait(25)
        assert "Grace" in names(client).values()


def echo(board: Board, client: Client, entries: bytes) -> bool:
    return board.room.is_echo(client.number, client.session_id, entries, board.now)


def test_what_a_client_was_sent_may_come_back_once_each() -> None:
    board = Board()
    ada, bob = board.join("ada"), board.join("bob")
    board.say(ada, state(7, 1, "{}"))
    board.say(bob, state(8, 1, "{}"))
    board.tick()
    entries = ada.states()
    assert {entry.client for entry in entries} >= {7, 8}
    others = state(8, 1, '{"in": "other words"}')
    # The answer to its sync step 1 may come back, and what was sent with the tick.
    assert [echo(board, ada, others) for _ in range(4)] == [True, True, False, False]
    board.say(bob, state(8, 2, '{"a": 1}'))
    board.tick()
    assert [echo(board, ada, others) for _ in range(2)] == [True, False]


def test_what_has_a_state_of_its_sender_or_a_new_one_does_not_only_come_back() -> None:
    board = Board()
    ada, bob = board.join("ada"), board.join("bob")
    text = board.join("eve", text=True)
    assert not echo(board, ada, state(7, 1, "{}"))
    assert not echo(board, text, state(7, 1, "{}"))
    board.say(ada, state(7, 1, "{}"))
    board.say(bob, state(8, 1, "{}"))
    board.tick()
    for entries in (state(7, 2, "{}"), state(9, 1, "{}"), b"damaged"):
        assert not echo(board, ada, entries)
    # The very bytes that were sent are known.
    sent = [payload for kind, payload in ada.take_all() if kind is MessageKind.AWARENESS]
    assert echo(board, ada, sent[-1])
    board.part(ada)
    assert not echo(board, ada, state(8, 1, "{}"))


def test_a_board_without_a_document_has_no_awareness_that_comes_back() -> None:
    board = Board()
    assert not echo(board, board.join("ada", text=True), state(8, 1, "{}"))


def test_a_client_that_came_back_announces_itself_first() -> None:
    board = Board()
    ada, bob = board.join("ada"), board.join("bob")
    board.say(ada, state(7, 1, "{}"))
    board.say(bob, state(8, 1, "{}"))
    board.tick()
    board.part(ada)
    again = board.join("ada")
    board.ask(again)
    assert not echo(board, again, state(8, 1, "{}"))
