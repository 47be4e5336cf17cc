"""Changes of a document: relayed, merged first, asked for, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from presence_server.core.document import MOST_UNSTORED, RELAY_BYTES
from presence_server.core.document_effects import Merge, MergeAndTell, RelayParts
from presence_server.core.document_events import (
    DocumentDeleted,
    DocumentLoaded,
    DocumentMerged,
    DocumentSized,
    DocumentStored,
    MergeOutcome,
    RoleChanged,
    UpdateSetAside,
)
from presence_server.core.events import Parting
from presence_server.core.yjs import wire
from presence_server.core.yjs.update import EMPTY_UPDATE
from presence_server.core.yjs.vector import EMPTY_VECTOR, StateVector
from presence_server.core.yjs.wire import MessageKind
from presence_server.protocol.messages import ChangesStored, Error
from tests.core.documents.kit import Board, Client, typed
from tests.core.yjs.updates import hole, text, update

BIG = update((9, 0, [text("x" * RELAY_BYTES)]))


@pytest.fixture
def board() -> Board:
    """A board with a loaded document and two clients."""
    return opened()


def opened(**limits: Any) -> Board:
    board = Board(**limits)
    for name in ("ada", "grace"):
        board.ask(board.join(name))
    board.load()
    for client in board.clients.values():
        client.take()
    return board


def ada(board: Board) -> Client:
    return board.clients[1]


def grace(board: Board) -> Client:
    return board.clients[2]


def code_of(client: Client) -> int | None:
    return None if client.closed is None else client.closed[0]


@pytest.mark.parametrize("short", [True, False])
def test_a_change_that_follows_is_relayed_to_all_and_then_merged(board: Board, short: bool) -> None:
    board.short = short
    board.change(ada(board), typed(1, 0))
    board.change(ada(board), typed(1, 1))
    assert ada(board).changes() == grace(board).changes() == [typed(1, 0), typed(1, 1)]
    assert board.calls == [Merge(1, typed(1, 0)), Merge(2, typed(1, 1))]


@pytest.mark.parametrize("short", [True, False])
def test_a_change_that_does_not_follow_is_asked_for(board: Board, short: bool) -> None:
    board.short = short
    board.change(ada(board), typed(1, 5))
    assert board.calls == []
    assert grace(board).take() == []
    board.wait(1)
    assert ada(board).take() == [(MessageKind.STEP_1, EMPTY_VECTOR)]


def test_a_client_is_asked_at_most_once_a_second_and_in_the_end_for_all() -> None:
    board = opened()
    board.wait(5)
    client = ada(board)
    client.take()
    for clock in range(5, 10):
        board.change(client, typed(1, clock))
    assert client.kinds() == [MessageKind.STEP_1]
    board.wait(0.9)
    assert client.kinds() == []
    board.wait(0.2)
    assert client.kinds() == [MessageKind.STEP_1]
    board.wait(9)
    assert MessageKind.STEP_1 not in client.kinds()


@pytest.mark.parametrize(
    ("data", "is_answer"),
    [
        (typed(1, 0), True),
        (BIG, False),
        (update((1, 0, [text("")])), False),
        (update(deletes=((1, [(0, 0)]),)), False),
    ],
)
def test_what_is_merged_first(board: Board, data: bytes, is_answer: bool) -> None:
    board.change(ada(board), data, is_answer=is_answer)
    assert grace(board).take() == []
    assert board.calls == [MergeAndTell(1, data)]
    board.serve()
    assert ada(board).changes() == grace(board).changes() == [data]
    board.change(ada(board), data, is_answer=True)
    board.serve()
    assert grace(board).take() == []


def test_a_large_change_is_sent_in_parts_that_all_share(board: Board) -> None:
    board.change(ada(board), BIG)
    board.calls.clear()
    board.effects.clear()
    parts = (BIG[:9], BIG[9:])
    vector = StateVector({9: RELAY_BYTES}).encode()
    board.apply(DocumentMerged(1, MergeOutcome.MERGED, BIG, vector, len(BIG), parts))
    assert RelayParts(parts) in board.effects
    # One that is not too long for a part is sent as it is.
    board.change(ada(board), BIG)
    board.calls.clear()
    board.effects.clear()
    board.apply(DocumentMerged(2, MergeOutcome.MERGED, BIG, vector, len(BIG)))
    assert RelayParts((BIG,)) in board.effects
    assert ada(board).changes() == grace(board).changes() == [*parts, BIG]


def test_a_change_may_follow_on_one_that_is_being_merged(board: Board) -> None:
    board.change(ada(board), BIG)
    after = typed(9, RELAY_BYTES)
    board.change(ada(board), after)
    assert grace(board).take() == []
    assert board.calls == [MergeAndTell(1, BIG), MergeAndTell(2, after)]
    board.serve()
    assert grace(board).changes() == [BIG, after]
    board.change(ada(board), typed(9, RELAY_BYTES + 1))
    assert len(grace(board).changes()) == 1


def test_a_change_that_turns_out_not_to_follow_is_asked_for(board: Board) -> None:
    board.wait(5)
    board.change(ada(board), BIG)
    board.change(ada(board), typed(1, 5))
    ada(board).take()
    board.serve()
    assert MessageKind.STEP_1 in ada(board).kinds()
    assert grace(board).changes() == [BIG]


HOLEY = update((1, 0, [text("a"), hole(1), text("c", left=(1, 1))]))
"""An answer of a client that lacks the second change of client 1, and so shows the first only."""
UNTIL_THE_HOLE = update((1, 0, [text("a")]))
AFTER_THE_HOLE = update((1, 2, [text("c", left=(1, 1))]))


def test_of_an_answer_with_a_hole_what_follows_is_relayed(board: Board) -> None:
    board.change(ada(board), HOLEY, is_answer=True)
    board.serve()
    assert ada(board).changes() == grace(board).changes() == [UNTIL_THE_HOLE]
    assert ada(board).refused == []
    # It cannot fill the hole, so it is not asked again for nothing.
    board.wait(30)
    assert MessageKind.STEP_1 not in ada(board).kinds()


def test_who_holds_changes_back_is_asked_again_once_others_have_come(board: Board) -> None:
    board.wait(5)
    board.change(ada(board), HOLEY, is_answer=True)
    board.serve()
    for client in board.clients.values():
        client.take()
    board.change(grace(board), typed(1, 1), is_answer=True)
    board.serve()
    vector = StateVector({1: 2}).encode()
    assert (MessageKind.STEP_1, vector) in ada(board).take()
    assert MessageKind.STEP_1 not in grace(board).kinds()
    board.change(ada(board), AFTER_THE_HOLE, is_answer=True)
    board.serve()
    assert grace(board).changes() == [AFTER_THE_HOLE]
    # Nothing is held back any more.
    board.wait(5)
    board.change(grace(board), typed(1, 3), is_answer=True)
    board.serve()
    assert MessageKind.STEP_1 not in ada(board).kinds()


def test_two_who_hold_the_same_back_do_not_ask_each_other_for_ever(board: Board) -> None:
    for client in (ada(board), grace(board)):
        board.change(client, HOLEY, is_answer=True)
    board.serve()
    board.wait(5)
    for client in (ada(board), grace(board)):
        client.take()
        board.change(client, HOLEY, is_answer=True)
    board.serve()
    board.wait(5)
    assert MessageKind.STEP_1 not in ada(board).kinds() + grace(board).kinds()


def test_what_waits_for_a_part_that_nobody_has_any_more_stops_nobody(board: Board) -> None:
    board.wait(5)
    board.change(ada(board), HOLEY, is_answer=True)
    board.serve()
    for client in board.clients.values():
        client.take()
    # The client that holds it back types, and so do others; the hole is never filled.
    board.change(ada(board), typed(5, 0))
    for clock in range(10):
        board.change(grace(board), typed(9, clock), is_answer=True)
        board.change(ada(board), HOLEY, is_answer=True)
        board.serve()
        board.wait(2)
    questions = ada(board).take()
    assert len([kind for kind, _ in questions if kind is MessageKind.STEP_1]) <= 11
    changes = grace(board).changes()
    assert changes == [typed(5, 0), *(typed(9, clock) for clock in range(10))]
    assert board.vector.clocks == {1: 1, 5: 1, 9: 10}
    assert ada(board).refused == []


@pytest.mark.parametrize("is_answer", [True, False])
def test_a_change_for_which_the_service_has_no_room_is_asked_for_again(
    board: Board, is_answer: bool
) -> None:
    board.wait(5)
    board.change(ada(board), BIG, is_answer=is_answer)
    ada(board).take()
    board.apply(DocumentMerged(1, MergeOutcome.GAP, None, EMPTY_VECTOR, 0))
    assert ada(board).kinds() == [MessageKind.STEP_1]


def test_a_change_of_which_a_part_does_not_follow_is_asked_for(board: Board) -> None:
    board.wait(5)
    # Both are merged first: the one is long, the other may follow on it.
    board.change(ada(board), BIG)
    board.change(ada(board), update((2, 0, [text("a")]), (1, 5, [text("c", left=(1, 4))])))
    ada(board).take()
    board.serve()
    found = grace(board).changes()
    assert found == [BIG, update((2, 0, [text("a")]))]
    assert MessageKind.STEP_1 in ada(board).kinds()


def test_a_viewer_is_not_asked_for_what_it_held_back_as_an_editor(board: Board) -> None:
    board.wait(5)
    board.change(ada(board), HOLEY, is_answer=True)
    board.serve()
    board.apply(RoleChanged(ada(board).number, ada(board).session_id, may_edit=False))
    ada(board).take()
    board.change(grace(board), typed(1, 1), is_answer=True)
    board.serve()
    assert ada(board).kinds() == [MessageKind.UPDATE]


def test_an_update_with_a_hole_is_damaged(board: Board) -> None:
    board.change(ada(board), HOLEY)
    assert ada(board).refused == ["a hole"]


@pytest.mark.parametrize("data", [b"\x00", bytes([1, 1, 1, 1, 0, 0, 0]), b"\xff\xff\xff\xff\x0f"])
def test_a_damaged_change_is_refused_and_reaches_nobody(board: Board, data: bytes) -> None:
    board.change(ada(board), data)
    assert len(ada(board).refused) == 1
    assert board.calls == []
    assert grace(board).take() == []


def test_a_long_damaged_change_is_refused_by_the_service(board: Board) -> None:
    board.change(ada(board), BIG[:-1] + b"\x07")
    board.serve()
    assert ada(board).refused == ["the update is damaged"]
    assert grace(board).take() == []


def test_an_empty_update_is_nothing(board: Board) -> None:
    board.change(ada(board), EMPTY_UPDATE)
    board.change(ada(board), EMPTY_UPDATE, is_answer=True)
    assert board.calls == []
    assert grace(board).take() == []


def test_until_the_document_is_loaded_changes_are_relayed_and_nobody_is_answered() -> None:
    board = Board()
    first, second = board.join("ada"), board.join("grace")
    board.ask(first)
    board.ask(second)
    board.change(first, typed(1, 0))
    board.change(first, BIG)
    assert second.take() == [(MessageKind.UPDATE, typed(1, 0))]
    stored = [typed(7, 0)]
    board.load(stored)
    kinds = second.take()
    assert (MessageKind.STEP_2, typed(7, 0)) not in kinds[:1]
    assert {payload for kind, payload in kinds if kind is MessageKind.UPDATE} >= {BIG}
    assert (MessageKind.UPDATE, typed(1, 0)) in kinds
    assert board.vector.clocks == {7: 1, 1: 1, 9: RELAY_BYTES}
    board.change(first, typed(1, 1))
    assert second.changes() == [typed(1, 1)]


def test_a_document_that_is_loaded_twice_changes_nothing(board: Board) -> None:
    board.apply(DocumentLoaded(StateVector({1: 5}).encode(), 5))
    board.wait(2)
    ada(board).take()
    board.change(ada(board), typed(1, 5))
    assert ada(board).kinds() == [MessageKind.STEP_1]


def test_a_viewer_is_told_once_and_changes_nothing() -> None:
    board = Board()
    viewer = board.join("ada", may_edit=False, text=True)
    board.ask(viewer)
    board.load()
    assert MessageKind.STEP_1 not in viewer.kinds()
    viewer.events.clear()
    for _ in range(3):
        board.change(viewer, typed(1, 0))
        board.change(viewer, EMPTY_UPDATE, is_answer=True)
    assert viewer.kinds() == [MessageKind.DENIED]
    errors = [event.payload.code for event in viewer.events if isinstance(event, Error)]
    assert errors == ["FORBIDDEN"]
    assert board.calls == []


def test_a_viewer_who_becomes_an_editor_is_asked_for_what_was_typed() -> None:
    board = Board()
    client = board.join("ada", may_edit=False)
    board.ask(client)
    board.load()
    board.change(client, typed(1, 0))
    client.take()
    board.apply(RoleChanged(client.number, client.session_id, may_edit=True))
    assert client.kinds() == [MessageKind.STEP_1]
    board.change(client, typed(1, 0), is_answer=True)
    assert board.calls == [MergeAndTell(1, typed(1, 0))]
    board.apply(RoleChanged(client.number, client.session_id, may_edit=False))
    board.change(client, typed(1, 1))
    assert client.kinds() == [MessageKind.DENIED]


def test_a_role_of_a_client_that_speaks_no_yjs_or_is_gone() -> None:
    board = Board()
    client = board.join("ada", text=True)
    board.apply(RoleChanged(client.number, client.session_id, may_edit=True))
    board.apply(RoleChanged(client.number, client.session_id, may_edit=False))
    board.apply(RoleChanged(9, "nobody", may_edit=False))
    other = board.join("grace")
    board.apply(RoleChanged(client.number, client.session_id, may_edit=True))
    board.apply(RoleChanged(other.number, other.session_id, may_edit=False))
    board.apply(RoleChanged(other.number, other.session_id, may_edit=True))
    assert other.take() == []


def test_no_new_documents_are_stored_changes_are_refused() -> None:
    board = Board()
    client = board.join("ada")
    board.ask(client)
    board.load(may_change=False)
    client.take()
    board.change(client, typed(1, 0))
    board.change(client, typed(1, 1))
    ((kind, _),) = client.take()
    assert kind is MessageKind.DENIED
    assert board.calls == []


def test_a_document_that_would_be_too_large_ends_its_sender_only() -> None:
    board = opened(document_max_bytes=60)
    board.change(ada(board), typed(1, 0, "x" * 20))
    board.change(ada(board), typed(1, 20, "x" * 40))
    assert isinstance(board.calls[-1], MergeAndTell)
    number = board.calls[-1].number
    board.apply(
        DocumentMerged(number, MergeOutcome.TOO_LARGE, None, StateVector({1: 20}).encode(), 35)
    )
    assert code_of(ada(board)) == 4413
    assert ada(board).kinds()[-1] is MessageKind.DENIED
    assert grace(board).closed is None
    board.calls.clear()
    board.change(grace(board), typed(2, 0))
    assert isinstance(board.calls[-1], Merge)


def test_the_exact_size_makes_room_again() -> None:
    board = opened(document_max_bytes=60)
    board.change(ada(board), typed(1, 0, "x" * 30))
    board.apply(DocumentSized(0, 5))
    board.change(ada(board), typed(1, 30, "x" * 15))
    assert isinstance(board.calls[-1], MergeAndTell)
    board.apply(DocumentSized(2, 5))
    board.change(ada(board), typed(2, 0))
    assert isinstance(board.calls[-1], Merge)


def stored_of(client: Client) -> list[int]:
    events, client.events = client.events, []
    return [event.payload.updates for event in events if isinstance(event, ChangesStored)]


def test_a_client_hears_how_many_of_its_changes_are_durable() -> None:
    board = Board()
    client, other = board.join("ada", text=True), board.join("grace", text=True)
    for who in (client, other):
        board.ask(who)
    board.load()
    board.change(client, typed(1, 0))
    board.change(client, typed(1, 1))
    board.change(other, typed(2, 0))
    board.apply(DocumentStored(1))
    assert (stored_of(client), stored_of(other)) == ([1], [])
    board.apply(DocumentStored(3))
    board.apply(DocumentStored(3))
    assert (stored_of(client), stored_of(other)) == ([2], [1])


def test_a_dropped_change_counts_as_stored_with_the_answer_that_has_it() -> None:
    board = Board()
    client = board.join("ada", text=True)
    board.ask(client)
    board.load()
    board.change(client, typed(1, 3))
    board.change(client, BIG)
    board.change(client, typed(1, 4))
    board.serve(stored=True)
    assert stored_of(client) == [1]
    board.change(client, typed(1, 0, "abcde"), is_answer=True)
    board.serve(stored=True)
    assert stored_of(client) == [4]


def test_what_is_remembered_while_the_store_is_down_is_bounded() -> None:
    board = Board()
    client = board.join("ada", text=True)
    board.ask(client)
    board.load()
    for clock in range(MOST_UNSTORED + 50):
        board.change(client, typed(1, clock))
    board.apply(DocumentStored(MOST_UNSTORED))
    assert stored_of(client) == [MOST_UNSTORED - 1]
    board.serve(stored=True)
    assert stored_of(client) == [MOST_UNSTORED + 50]


def test_where_nothing_is_stored_nobody_hears_that_it_is() -> None:
    board = Board(documents_are_stored=False)
    client = board.join("ada", text=True)
    board.ask(client)
    board.load()
    board.change(client, typed(1, 0))
    board.serve(stored=True)
    assert stored_of(client) == []


def test_binary_clients_hear_no_event() -> None:
    board = opened()
    board.change(ada(board), typed(1, 0))
    board.serve(stored=True)
    assert stored_of(ada(board)) == []


def test_an_update_that_was_given_up_ends_its_sender() -> None:
    board = opened()
    board.change(ada(board), typed(1, 0))
    board.change(grace(board), BIG)
    board.apply(UpdateSetAside(1, EMPTY_VECTOR))
    assert code_of(ada(board)) == 4400
    assert grace(board).closed is None
    board.apply(UpdateSetAside(2, EMPTY_VECTOR))
    assert grace(board).closed is not None
    board.apply(UpdateSetAside(2, EMPTY_VECTOR))


def test_what_the_service_tells_about_clients_that_are_gone(board: Board) -> None:
    for clock in range(len(MergeOutcome) - 1):
        board.change(ada(board), typed(1, clock), is_answer=True)
    board.change(ada(board), BIG, is_answer=True)
    board.part(ada(board), Parting.LEFT)
    vector = EMPTY_VECTOR
    for number, outcome in enumerate(MergeOutcome, start=1):
        board.apply(DocumentMerged(number, outcome, None, vector, 0))
    board.apply(DocumentMerged(99, MergeOutcome.MERGED, None, vector, 0))
    assert grace(board).take() == []


def test_the_service_tells_a_room_without_a_document_nothing() -> None:
    board = Board()
    client = board.join("ada", text=True)
    before = len(board.effects)
    board.apply(DocumentMerged(1, MergeOutcome.MERGED, typed(1, 0), EMPTY_VECTOR, 0))
    board.apply(DocumentStored(1))
    board.apply(DocumentSized(1, 1))
    board.apply(UpdateSetAside(1, EMPTY_VECTOR))
    board.apply(DocumentDeleted())
    board.apply(DocumentLoaded(EMPTY_VECTOR, 0))
    assert len(board.effects) == before
    assert client.closed is None


def test_who_watches_a_document_that_is_deleted_comes_back_to_a_new_one(board: Board) -> None:
    board.change(ada(board), typed(1, 0))
    reader = board.join("alan", text=True)
    board.apply(DocumentDeleted())
    assert [c.closed and c.closed[0] for c in board.clients.values()] == [1012, 1012, None]
    assert reader.closed is None
    board.calls.clear()
    board.updates, board.vector = [], StateVector()
    back = board.join("ada")
    assert back.session_id == ada(board).session_id
    board.ask(back)
    board.load()
    assert (MessageKind.STEP_2, EMPTY_UPDATE) in back.take()


def test_changes_of_others_connections_are_ignored(board: Board) -> None:
    stranger = Client(9, "nobody", "nobody")
    board.clients[9] = stranger
    board.change(stranger, typed(1, 0))
    board.ask(stranger)
    board.say(stranger, b"\x00")
    board.query(stranger)
    assert board.calls == []
    assert wire.SIGN_OF_LIFE not in stranger.inbox


def test_a_change_is_an_activity_and_an_answer_is_none() -> None:
    board = opened(idle_after_s=5, away_after_s=9, heartbeat_interval_s=30)
    board.wait(6)
    board.change(ada(board), typed(1, 0), is_answer=True)
    assert [user.status for user in board.room.current_users()] == ["idle", "idle"]
    board.change(grace(board), typed(2, 0))
    assert [user.status for user in board.room.current_users()] == ["idle", "online"]
    board.wait(4)
    board.change(grace(board), typed(2, 1))
    board.wait(4)
    assert [user.status for user in board.room.current_users()] == ["away", "online"]
