"""Clients that wait for a seat may watch the document, and lose nothing that they typed."""

from __future__ import annotations

from typing import Any

from presence_server.core.events import AdmitNext, Parting
from presence_server.core.yjs.wire import MessageKind
from tests.core.documents.kit import Board, Client, state, typed


def full(**limits: Any) -> tuple[Board, Client]:
    """A board with one seat, which is taken, and a loaded document."""
    board = Board(capacity=1, **limits)
    seated = board.join("ada")
    board.ask(seated)
    board.load([typed(9, 0)])
    seated.take_all()
    return board, seated


def test_who_waits_sees_document_and_awareness_and_changes_nothing() -> None:
    board, seated = full()
    board.say(seated, state(7, 1, "{}"))
    waiting = board.join("grace", watches=True)
    assert waiting.closed is None
    board.ask(waiting)
    board.serve()
    kinds = [kind for kind, _ in waiting.take_all()]
    assert kinds == [MessageKind.STEP_2, MessageKind.AWARENESS]
    board.change(seated, typed(1, 0))
    assert waiting.changes() == [typed(1, 0)]
    board.change(waiting, typed(2, 0))
    board.say(waiting, state(8, 1, "{}"))
    board.tick()
    assert board.updates == [typed(9, 0)]
    assert seated.changes() == [typed(1, 0)]
    assert all(entry.client != 8 for entry in seated.states())
    board.query(waiting)
    assert [entry.client for entry in waiting.states()][-1:] == [7]


def test_on_admission_it_is_asked_for_its_changes_and_its_awareness() -> None:
    board, seated = full()
    waiting = board.join("grace", watches=True)
    board.ask(waiting)
    board.serve()
    board.change(waiting, typed(2, 0))
    board.say(waiting, state(8, 1, "{}"))
    waiting.take_all()
    board.part(seated, Parting.LEFT)
    board.apply(AdmitNext())
    kinds = waiting.kinds()
    assert MessageKind.STEP_1 in kinds
    assert MessageKind.QUERY in kinds
    board.change(waiting, typed(2, 0), is_answer=True)
    board.serve()
    assert waiting.changes() == [typed(2, 0)]
    assert board.vector.clocks == {9: 1, 2: 1}


def test_a_viewer_who_waited_is_not_asked_for_changes() -> None:
    board, seated = full()
    waiting = board.join("grace", watches=True, may_edit=False)
    board.ask(waiting)
    board.serve()
    waiting.take_all()
    board.part(seated, Parting.LEFT)
    board.apply(AdmitNext())
    assert MessageKind.STEP_1 not in waiting.kinds()


def test_beyond_the_limit_clients_without_text_are_refused_with_1013() -> None:
    board, _ = full(watch_limit=1)
    assert board.join("grace", watches=True).closed is None
    for user_id in ("alan", "grace"):
        refused = board.join(user_id, watches=True)
        assert refused.closed is not None
        assert refused.closed[0] == 1013


def test_a_client_with_text_waits_all_the_same_and_watches_nothing() -> None:
    board, seated = full(watch_limit=0)
    waiting = board.join("grace", text=True, watches=True)
    assert waiting.closed is None
    board.ask(waiting)
    board.change(seated, typed(1, 0))
    assert waiting.take_all() == []


def test_a_client_that_dropped_while_it_waited_comes_back_to_its_place() -> None:
    board, seated = full()
    waiting = board.join("grace", watches=True)
    board.ask(waiting)
    board.part(waiting, Parting.DROPPED)
    back = board.join("grace", watches=True)
    assert back.session_id == waiting.session_id
    board.ask(back)
    board.serve()
    assert MessageKind.STEP_2 in back.kinds()
    board.part(seated, Parting.LEFT)
    board.apply(AdmitNext())
    assert [user.user_id for user in board.room.current_users()] == ["grace"]
