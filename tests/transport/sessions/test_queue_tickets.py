"""Places in a queue that outlive a restart, for their owners only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.sessions.queue_tickets import QueueTickets

KEY = b"k" * 32
NOW = 1_800_000_000_000


@pytest.fixture
def tickets() -> QueueTickets:
    return QueueTickets(KEY, NOW, 30_000)


def test_a_ticket_says_since_when_its_owner_waits(tickets: QueueTickets) -> None:
    ticket = tickets.issue("demo", "ada", NOW - 5000)
    after_restart = QueueTickets(KEY, NOW, 30_000)
    assert after_restart.read(ticket, "demo", "ada", NOW) == NOW - 5000


def test_tickets_are_unguessable_and_never_the_same(tickets: QueueTickets) -> None:
    assert len({tickets.issue("demo", "ada", NOW) for _ in range(100)}) == 100


def test_those_who_come_in_the_same_millisecond_keep_their_order(tickets: QueueTickets) -> None:
    issued = [tickets.issue("demo", "ada", NOW - 5000) for _ in range(10)]
    after_restart = QueueTickets(KEY, NOW, 30_000)
    times = [after_restart.read(ticket, "demo", "ada", NOW) for ticket in issued]
    assert times == [NOW - 5000 + place for place in range(10)]


def test_a_crowd_does_not_run_ahead_of_the_clock(tickets: QueueTickets) -> None:
    for _ in range(1500):
        ticket = tickets.issue("demo", "ada", NOW - 5000)
    after_restart = QueueTickets(KEY, NOW, 30_000)
    assert after_restart.read(ticket, "demo", "ada", NOW) == NOW - 4000
    ticket = tickets.issue("demo", "ada", NOW - 3000)
    assert after_restart.read(ticket, "demo", "ada", NOW) == NOW - 3000


@pytest.mark.parametrize(("board", "user"), [("other", "ada"), ("demo", "eve"), ("demoa", "da")])
def test_a_ticket_is_good_for_its_board_and_user_only(
    tickets: QueueTickets, board: str, user: str
) -> None:
    assert tickets.read(tickets.issue("demo", "ada", NOW - 1), board, user, NOW) is None


def test_a_ticket_of_another_server_is_none(tickets: QueueTickets) -> None:
    foreign = QueueTickets(b"x" * 32, NOW, 0).issue("demo", "ada", NOW - 1)
    assert tickets.read(foreign, "demo", "ada", NOW) is None


def test_a_ticket_that_comes_after_the_grace_is_none(tickets: QueueTickets) -> None:
    ticket = tickets.issue("demo", "ada", NOW - 1)
    assert tickets.read(ticket, "demo", "ada", NOW + 30_000) == NOW - 1
    assert tickets.read(ticket, "demo", "ada", NOW + 30_001) is None


def test_a_ticket_ends_after_a_day(tickets: QueueTickets) -> None:
    day_ms = 24 * 60 * 60 * 1000
    young = tickets.issue("demo", "ada", NOW - day_ms)
    assert tickets.read(young, "demo", "ada", NOW) == NOW - day_ms
    old = QueueTickets(KEY, NOW, 0).issue("demo", "ada", NOW - day_ms - 1)
    assert tickets.read(old, "demo", "ada", NOW) is None


def test_a_ticket_is_good_once(tickets: QueueTickets) -> None:
    ticket = tickets.issue("demo", "ada", NOW - 1)
    assert tickets.read(ticket, "demo", "ada", NOW) == NOW - 1
    assert tickets.read(ticket, "demo", "ada", NOW) is None
    # The last character has bits to spare, so other texts are the same ticket.
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert tickets.read(ticket[:-1] + last, "demo", "ada", NOW) is None


def test_a_ticket_that_was_shown_by_somebody_else_is_still_good(tickets: QueueTickets) -> None:
    ticket = tickets.issue("demo", "ada", NOW - 1)
    assert tickets.read(ticket, "demo", "eve", NOW) is None
    assert tickets.read(ticket, "demo", "ada", NOW) == NOW - 1


def test_a_ticket_of_this_start_is_no_place_from_before_it(tickets: QueueTickets) -> None:
    ticket = tickets.issue("demo", "ada", NOW)
    assert tickets.read(ticket, "demo", "ada", NOW + 1000) is None


def test_an_altered_ticket_is_none(tickets: QueueTickets) -> None:
    ticket = tickets.issue("demo", "ada", NOW - 1)
    for index, old in enumerate(ticket[:-1]):
        altered = ticket[:index] + ("A" if old != "A" else "B") + ticket[index + 1 :]
        assert tickets.read(altered, "demo", "ada", NOW) is None


@given(st.one_of(st.none(), st.text(), st.text(min_size=51, max_size=51)))
def test_anything_else_is_none(text: str | None) -> None:
    assert QueueTickets(KEY, NOW, 0).read(text, "demo", "ada", NOW) is None
