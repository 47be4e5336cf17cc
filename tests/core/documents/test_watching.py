"""Who watches a document, and what a watcher hears and when."""

from __future__ import annotations

from presence_server.core.document_effects import AnswerVector, LoadDocument, Relay
from presence_server.core.document_events import (
    AnswerFailed,
    AnswerPostponed,
    DocumentAnswer,
    DocumentAnswered,
    DocumentDeleted,
)
from presence_server.core.events import Kick, Parting, RowCommitted
from presence_server.core.yjs import wire
from presence_server.core.yjs.update import EMPTY_UPDATE
from presence_server.core.yjs.vector import EMPTY_VECTOR, StateVector
from presence_server.core.yjs.wire import MessageKind
from presence_server.protocol.messages import BoardJoined
from tests.core.documents.kit import Board, state, typed

HI = state(7, 1, '{"n":"hi"}')
VECTOR = StateVector({1: 1}).encode()


def test_a_board_without_yjs_has_no_document_and_no_call() -> None:
    board = Board()
    board.join("ada", text=True)
    board.wait(400)
    assert board.calls == []
    assert not any(isinstance(effect, Relay) for effect in board.effects)


def test_a_client_asks_and_gets_the_document_a_question_and_the_others() -> None:
    board = Board()
    client = board.join("ada")
    assert board.calls == [LoadDocument()]
    board.ask(client)
    assert client.take() == []
    client.take_all()
    board.load([typed(1, 0), typed(1, 1)])
    kinds = [kind for kind, _ in client.take_all()]
    assert kinds == [
        MessageKind.UPDATE,
        MessageKind.STEP_2,
        MessageKind.STEP_1,
        MessageKind.AWARENESS,
    ]


def test_who_is_there_is_known_before_the_document_is() -> None:
    board = Board()
    client, late = board.join("ada"), board.join("grace")
    board.say(client, HI)
    board.tick()
    late.take_all()
    board.ask(late)
    assert [entry.client for entry in late.states()][:1] == [7]


def test_a_client_with_text_gets_binary_messages_from_its_first_one_on() -> None:
    board = Board()
    writer, reader = board.join("ada"), board.join("grace", text=True)
    board.load()
    board.change(writer, typed(1, 0))
    assert reader.take() == []
    board.query(reader)
    board.change(writer, typed(1, 1))
    assert reader.changes() == [typed(1, 1)]
    assert [type(event) for event in reader.events][:1] == [BoardJoined]


def test_a_binary_client_gets_no_event() -> None:
    board = Board()
    client = board.join("ada")
    board.join("grace", text=True)
    assert client.events == []


def test_a_client_is_answered_once_a_second_with_its_newest_vector() -> None:
    board = Board()
    client = board.join("ada")
    board.ask(client)
    board.load()
    client.take()
    for clock in range(5):
        board.ask(client, bytes([1, 1, clock]))
    assert board.calls == []
    board.wait(1.1)
    assert board.calls == [AnswerVector(client.number, bytes([1, 1, 4]))]
    board.ask(client)
    assert len(board.calls) == 1
    board.serve()
    board.wait(1.1)
    assert board.calls == [AnswerVector(client.number, EMPTY_VECTOR)]


def test_a_question_that_waits_ends_with_the_document() -> None:
    board = Board()
    client = board.join("ada")
    board.ask(client)
    board.load()
    board.ask(client)
    board.apply(DocumentDeleted())
    board.wait(2)
    assert board.calls == []


def test_an_answer_that_fails_is_asked_for_again_after_a_while() -> None:
    board = Board()
    ada = board.join("ada")
    board.load()
    board.ask(ada, VECTOR)
    (call,) = board.calls
    board.calls.clear()
    board.apply(AnswerFailed(ada.number, VECTOR))
    board.wait(10)
    assert board.calls == []
    board.wait(2)
    assert board.calls == [call]
    board.serve()
    assert MessageKind.STEP_2 in ada.kinds()


def test_a_newer_vector_is_the_one_that_is_answered_after_a_failure() -> None:
    board = Board()
    ada = board.join("ada")
    board.load()
    board.ask(ada)
    board.calls.clear()
    board.ask(ada, VECTOR)
    board.apply(AnswerFailed(ada.number, EMPTY_VECTOR))
    board.apply(AnswerFailed(99, EMPTY_VECTOR))
    board.wait(12)
    assert board.calls == [AnswerVector(ada.number, VECTOR)]


def test_a_client_that_has_not_taken_its_last_answer_gets_the_next_one_later() -> None:
    board = Board()
    ada = board.join("ada")
    board.load()
    board.ask(ada, VECTOR)
    (call,) = board.calls
    for _ in range(3):
        board.calls.clear()
        board.apply(AnswerPostponed(ada.number, VECTOR))
        assert board.calls == []
        board.wait(1.1)
        assert board.calls == [call]
    board.serve()
    assert MessageKind.STEP_2 in ada.kinds()
    board.apply(AnswerPostponed(99, VECTOR))


def test_an_answer_for_a_client_that_is_gone_is_dropped() -> None:
    board = Board()
    board.apply(DocumentAnswered(1, DocumentAnswer((EMPTY_UPDATE,))))
    client = board.join("ada")
    board.ask(client)
    board.load()
    board.part(client, Parting.LEFT)
    client.take()
    board.apply(DocumentAnswered(1, DocumentAnswer((EMPTY_UPDATE,))))
    assert client.take() == []


def test_who_joins_later_is_answered_after_it_has_joined() -> None:
    board = Board()
    board.commits = False
    client = board.join("ada")
    board.ask(client)
    board.say(client, HI)
    board.change(client, typed(1, 0))
    board.query(client)
    board.load()
    assert client.take_all() == []
    assert board.calls == []
    board.apply(RowCommitted(client.session_id))
    board.serve()
    kinds = client.kinds()
    assert MessageKind.STEP_1 in kinds
    assert MessageKind.STEP_2 in kinds
    assert MessageKind.QUERY not in kinds
    board.commits = True
    other = board.join("grace")
    board.query(other)
    assert [entry.client for entry in other.states()] == [7]


def test_awareness_that_was_not_kept_while_joining_is_asked_for() -> None:
    board = Board()
    board.commits = False
    client = board.join("ada", text=True)
    board.say(client, HI)
    board.say(client, HI)
    board.load()
    board.apply(RowCommitted(client.session_id))
    assert client.kinds() == [MessageKind.QUERY]
    assert client.is_watching


def test_a_long_message_while_joining_is_asked_for_again() -> None:
    board = Board()
    board.commits = False
    client = board.join("ada")
    board.say(client, state(7, 1, '{"n":"' + "x" * 20_000 + '"}'))
    board.load()
    board.apply(RowCommitted(client.session_id))
    assert client.kinds() == [MessageKind.QUERY]


def test_every_watcher_hears_something_every_20_seconds() -> None:
    board = Board()
    client = board.join("ada")
    board.ask(client)
    board.load()
    board.say(client, state(7, 1, "{}"))
    board.tick()
    for turn in range(12):
        client.inbox.clear()
        board.wait(20)
        assert client.inbox, turn
        # A client says its state again every 15 seconds.
        board.apply_heard(client)
    assert wire.SIGN_OF_LIFE in client.inbox


def test_nobody_watches_nobody_hears() -> None:
    board = Board()
    client = board.join("ada", text=True)
    other = board.join("grace", text=True)
    board.query(client)
    board.load()
    board.part(client, Parting.LEFT)
    before = len(board.effects)
    board.wait(60)
    assert not any(isinstance(effect, Relay) for effect in board.effects[before:])
    board.query(other)
    board.wait(15)
    assert wire.SIGN_OF_LIFE in other.inbox or other.states()


class TestLeaving:
    def test_null_and_then_a_close_is_a_leave(self) -> None:
        board = Board()
        client = board.join("ada")
        board.join("grace", text=True)
        board.say(client, HI)
        board.say(client, state(7, 1, "null"))
        board.part(client, Parting.DROPPED)
        assert [user.user_id for user in board.room.current_users()] == ["grace"]

    def test_a_close_without_null_is_a_drop(self) -> None:
        board = Board()
        client = board.join("ada")
        other = board.join("grace")
        board.load()
        board.say(client, HI)
        board.tick()
        other.take_all()
        board.part(client, Parting.DROPPED)
        board.wait(4.5)
        assert all(entry.client != 7 for entry in other.states())
        assert [user.connected for user in board.room.current_users()] == [True, True]
        board.wait(1)
        assert [entry.state for entry in other.states() if entry.client == 7] == [b"null"]
        assert [user.connected for user in board.room.current_users()] == [False, True]

    def test_null_of_a_client_with_text_is_no_leave(self) -> None:
        board = Board()
        client = board.join("ada", text=True)
        board.say(client, HI)
        board.say(client, state(7, 1, "null"))
        board.part(client, Parting.DROPPED)
        assert board.room.seats_taken == 1

    def test_the_state_of_a_client_that_leaves_goes_at_once(self) -> None:
        board = Board()
        client, other = board.join("ada"), board.join("grace")
        board.load()
        board.say(client, HI)
        board.tick()
        other.take_all()
        board.part(client, Parting.LEFT)
        board.tick()
        assert [entry.state for entry in other.states() if entry.client == 7] == [b"null"]

    def test_the_newest_connection_takes_over_the_session_of_the_user_who_dropped(self) -> None:
        board = Board()
        client, other = board.join("ada"), board.join("grace", text=True)
        board.load()
        board.say(client, HI)
        board.part(client, Parting.DROPPED)
        other.events.clear()
        back = board.join("ada")
        assert back.session_id == "session-1"
        assert other.events == []
        board.say(back, HI)
        assert back.kinds() == []
        board.ask(back)
        board.serve()
        assert MessageKind.STEP_2 in back.kinds()

    def test_one_that_returns_after_its_state_is_gone_is_nudged(self) -> None:
        board = Board()
        client = board.join("ada")
        board.load()
        board.say(client, HI)
        board.part(client, Parting.DROPPED)
        board.wait(10)
        back = board.join("ada")
        board.say(back, HI)
        ((client_id, clock, raw),) = [(e.client, e.clock, e.state) for e in back.states()]
        assert (client_id, clock, raw) == (7, 1, b"null")

    def test_a_session_with_text_is_never_taken_over_by_one_without(self) -> None:
        board = Board()
        client = board.join("ada", text=True)
        board.query(client)
        board.load()
        board.part(client, Parting.DROPPED)
        back = board.join("ada")
        assert back.session_id == "session-2"
        assert board.join("eve").session_id == "session-3"

    def test_a_second_tab_is_a_second_session(self) -> None:
        board = Board()
        board.join("ada")
        assert board.join("ada").session_id == "session-2"

    def test_a_guest_that_drops_is_gone_once_it_shows_as_not_connected(self) -> None:
        board = Board(reconnecting_after_s=5)
        client = board.join("guest-1", is_guest=True)
        board.part(client, Parting.DROPPED)
        board.wait(4)
        assert board.room.seats_taken == 1
        board.wait(2)
        assert board.room.seats_taken == 0

    def test_a_client_that_comes_back_before_its_state_goes_keeps_it(self) -> None:
        board = Board()
        client, other = board.join("ada"), board.join("grace")
        board.load()
        board.say(client, HI)
        board.tick()
        board.part(client, Parting.DROPPED)
        board.wait(3)
        back = board.join("ada")
        board.wait(1)
        board.part(back, Parting.DROPPED)
        other.take_all()
        board.wait(3)
        assert all(entry.client != 7 for entry in other.states())
        board.wait(3)
        assert any(entry.client == 7 for entry in other.states())

    def test_a_client_that_comes_back_for_good_keeps_its_state(self) -> None:
        board = Board()
        client, other = board.join("ada"), board.join("grace")
        board.load()
        board.say(client, HI)
        board.tick()
        board.part(client, Parting.DROPPED)
        board.join("ada")
        other.take_all()
        board.wait(8)
        assert all(entry.client != 7 for entry in other.states())

    def test_a_resumed_session_watches_once_its_new_connection_speaks_yjs(self) -> None:
        board = Board()
        client = board.join("ada", text=True)
        board.query(client)
        board.load()
        back = board.join("ada", text=True, resume=client.session_id)
        assert client.closed is not None
        assert client.closed[0] == 4409
        assert not back.is_watching
        board.query(back)
        assert back.is_watching

    def test_who_is_kicked_watches_no_more(self) -> None:
        board = Board()
        client, other = board.join("ada"), board.join("grace")
        board.load()
        board.apply(Kick("ada"))
        assert client.closed is not None
        board.change(other, typed(1, 0))
        assert client.changes() == []
