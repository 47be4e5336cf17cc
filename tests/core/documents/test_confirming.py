"""Clients that count their changes, as those of Hocuspocus do, hear of each one."""

from __future__ import annotations

from presence_server.core.document_events import DocumentStored, RoleChanged
from presence_server.core.events import AdmitNext, Parting
from presence_server.core.yjs.update import EMPTY_UPDATE
from presence_server.core.yjs.vector import StateVector
from presence_server.core.yjs.wire import MessageKind
from presence_server.protocol.messages import ChangesStored
from tests.core.documents.kit import Board, Client, typed


def counting(board: Board, user_id: str, *, may_edit: bool = True) -> Client:
    """A client of Hocuspocus."""
    return board.join(user_id, confirms=True, watches=True, may_edit=may_edit)


def synced(board: Board, client: Client) -> None:
    """The client asks for the document, and has nothing that the server lacks."""
    board.ask(client)
    board.serve()
    board.change(client, EMPTY_UPDATE, is_answer=True)


def totals(client: Client) -> list[int]:
    return [m.payload.updates for m in client.events if isinstance(m, ChangesStored)]


def test_a_change_is_confirmed_once_it_is_stored_and_not_before() -> None:
    board = Board()
    ada = counting(board, "ada")
    board.load()
    synced(board, ada)
    ada.confirmed.clear()
    board.change(ada, typed(1, 0))
    board.change(ada, typed(1, 1))
    board.serve()
    assert ada.confirmed == []
    board.apply(DocumentStored(1))
    assert ada.confirmed == [True]
    board.apply(DocumentStored(2))
    assert ada.confirmed == [True, True]


def test_its_sync_step_1_counts_until_its_answer_to_ours_is_stored() -> None:
    board = Board()
    ada = counting(board, "ada")
    board.load()
    board.ask(ada)
    board.serve()
    assert MessageKind.STEP_1 in ada.kinds()
    board.change(ada, typed(1, 0), is_answer=True)
    board.serve()
    assert ada.confirmed == []
    board.serve(stored=True)
    assert ada.confirmed == [True]
    # Nothing that it counts: the server asked by itself.
    board.change(ada, typed(1, 1), is_answer=True)
    board.serve(stored=True)
    assert ada.confirmed == [True]


def test_an_empty_answer_is_confirmed_with_what_is_stored_already() -> None:
    board = Board()
    ada, bob = counting(board, "ada"), counting(board, "bob")
    board.load()
    synced(board, ada)
    assert ada.confirmed == [True]
    board.change(ada, typed(1, 0))
    board.serve()
    synced(board, bob)
    assert bob.confirmed == []
    board.apply(DocumentStored(1))
    assert (ada.confirmed, bob.confirmed) == ([True, True], [True])


def test_an_empty_change_is_confirmed_too() -> None:
    board = Board()
    ada = counting(board, "ada")
    board.load()
    board.change(ada, EMPTY_UPDATE)
    assert ada.confirmed == [True]


def test_a_dropped_change_is_confirmed_with_the_answer_that_holds_it() -> None:
    board = Board()
    ada = counting(board, "ada")
    board.load()
    synced(board, ada)
    ada.confirmed.clear()
    board.wait(2)
    board.change(ada, typed(1, 1))
    board.serve(stored=True)
    assert ada.confirmed == []
    board.change(ada, typed(1, 0, "xx"), is_answer=True)
    board.serve(stored=True)
    assert ada.confirmed == [True]


def test_a_viewer_hears_of_each_change_that_it_was_not_taken() -> None:
    board = Board()
    eve = counting(board, "eve", may_edit=False)
    board.load()
    board.ask(eve)
    board.serve()
    assert eve.confirmed == [True]
    board.change(eve, typed(9, 0))
    board.change(eve, typed(9, 1))
    board.change(eve, EMPTY_UPDATE)
    assert eve.confirmed == [True, False, False]


def test_a_viewer_with_changes_of_its_own_hears_that_they_are_not_taken() -> None:
    board = Board()
    eve = counting(board, "eve", may_edit=False)
    board.load()
    board.ask(eve, StateVector({9: 3}).encode())
    board.serve()
    assert eve.confirmed == [False]
    board.apply(RoleChanged(eve.number, eve.session_id, may_edit=True))
    board.wait(2)
    board.change(eve, typed(9, 0, "abc"), is_answer=True)
    board.serve(stored=True)
    assert eve.confirmed == [False, True]


def test_what_a_viewer_typed_is_confirmed_once_it_may_edit() -> None:
    board = Board()
    eve = counting(board, "eve", may_edit=False)
    board.load()
    board.ask(eve)
    board.serve()
    board.change(eve, typed(9, 0))
    board.apply(RoleChanged(eve.number, eve.session_id, may_edit=True))
    board.wait(2)
    board.change(eve, typed(9, 0), is_answer=True)
    board.serve(stored=True)
    assert eve.confirmed == [True, False, True]


def test_what_was_typed_in_the_queue_is_confirmed_after_the_admission() -> None:
    board = Board(capacity=1)
    ada = counting(board, "ada")
    board.ask(ada)
    board.load()
    eve = counting(board, "eve")
    board.ask(eve)
    board.serve()
    board.change(eve, typed(9, 0))
    board.change(eve, typed(9, 1))
    assert eve.confirmed == []
    board.part(ada, Parting.LEFT)
    board.apply(AdmitNext())
    board.change(eve, typed(9, 0, "xx"), is_answer=True)
    board.serve(stored=True)
    # Two changes, and the sync step 1.
    assert eve.confirmed == [True, True, True]


def test_a_page_hears_of_dropped_changes_that_others_have_sent_meanwhile() -> None:
    board = Board()
    ada, bob = board.join("ada", text=True), board.join("bob")
    board.ask(ada)
    board.load()
    board.change(ada, typed(1, 1))
    board.change(bob, typed(1, 0))
    board.change(bob, typed(1, 1))
    board.serve(stored=True)
    assert totals(ada) == []
    board.change(ada, EMPTY_UPDATE, is_answer=True)
    assert totals(ada) == [1]
    board.change(ada, EMPTY_UPDATE, is_answer=True)
    assert totals(ada) == [1]


def test_a_session_of_y_websocket_may_go_on_as_one_that_counts() -> None:
    board = Board()
    ada = board.join("ada")
    board.load()
    board.part(ada)
    again = counting(board, "ada")
    board.change(again, EMPTY_UPDATE)
    assert again.session_id == ada.session_id
    assert again.confirmed == [True]
