"""The short way of a change does what the long way does; one log always gives the same messages."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_server.core.effects import SaveHeartbeats
from presence_server.core.events import Parting
from presence_server.core.yjs.update import EMPTY_UPDATE
from tests.core.documents.kit import Board, state, typed
from tests.core.yjs.updates import text, update

STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            ["type", "type", "type", "skip", "odd", "empty", "bad", "ask", "say", "wait", "drop"]
        ),
        st.integers(0, 3),
    ),
    max_size=40,
)


def played(  # noqa: C901 - an arm an action
    steps: list[tuple[int, str, int]], *, short: bool
) -> list[str]:
    """Everything that clients and service got."""
    board = Board(short=short, idle_after_s=2, away_after_s=4, document_max_bytes=400)
    people = [
        board.join("ada"),
        board.join("grace", text=True),
        board.join("alan", may_edit=False),
    ]
    for client in people:
        board.ask(client)
    board.load()
    clocks = [0, 0, 0]
    for who, action, number in steps:
        client = people[who]
        if action == "drop" and client.closed is None:
            board.part(client, Parting.DROPPED)
            people[who] = board.join(client.user_id, text=who == 1, may_edit=who != 2)
            board.ask(people[who])
        elif client.closed is not None:
            continue
        elif action == "type":
            board.change(client, typed(who, clocks[who], "xy"))
            clocks[who] += 2
        elif action == "skip":
            board.change(client, typed(who, clocks[who] + 5))
        elif action == "odd":
            board.change(client, update((who, clocks[who], [text("")])))
        elif action == "empty":
            board.change(client, EMPTY_UPDATE)
        elif action == "bad":
            board.change(client, b"\x01\x01")
        elif action == "ask":
            board.ask(client)
        elif action == "say":
            board.say(client, state(10 + who, number, f'{{"n":{number}}}'))
        else:
            board.wait(number)
        if number == 0:
            board.serve(stored=True)
    board.serve(stored=True)
    # How soon the store hears of a sign of life is the only thing that may differ.
    if not short:
        board.replay()
    told = [effect for effect in board.effects if not isinstance(effect, SaveHeartbeats)]
    inboxes = [(c.inbox, c.events, c.refused) for c in board.clients.values()]
    return list(map(repr, [*told, *inboxes]))


@settings(max_examples=80)
@given(STEPS)
def test_the_short_way_and_the_long_way_send_the_same(steps: list[tuple[int, str, int]]) -> None:
    assert played(steps, short=True) == played(steps, short=False)
