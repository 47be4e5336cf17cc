"""Places in a queue that outlive a restart, for their owners only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.sessions.queue_tickets import (
    EarlierQueues,
    QueueTickets,
    queue_clock,
)

KEY = b"k" * 32
NOW = 1_800_000_000_000
DAY_MS = 24 * 60 * 60 * 1000


class Clock:
    """The queue's clock, which a test sets."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def issued(user_id: str = "ada", at_ms: int = NOW - 1, *, key: bytes = KEY) -> str:
    """A ticket of an earlier server for the board demo."""
    return QueueTickets(key, Clock(at_ms), 0).issue("demo", user_id).session_id


def since(
    tickets: QueueTickets, ticket: str | None, board_id: str = "demo", user_id: str = "ada"
) -> int | None:
    """Since when the owner of a ticket waits; None if the ticket is not good."""
    found = tickets.read(ticket, board_id, user_id)
    return None if found is None else found.since_ms


@pytest.fixture
def tickets() -> QueueTickets:
    return QueueTickets(KEY, Clock(NOW), 30_000)


def test_a_ticket_says_since_when_its_owner_waits(tickets: QueueTickets) -> None:
    ticket = issued(at_ms=NOW - 5000)
    found = tickets.read(ticket, "demo", "ada")
    assert found is not None
    assert (found.session_id, found.since_ms) == (ticket, NOW - 5000)


def test_tickets_are_unguessable_and_never_the_same(tickets: QueueTickets) -> None:
    assert len({tickets.issue("demo", "ada").session_id for _ in range(100)}) == 100


def test_those_who_come_in_the_same_millisecond_keep_their_order(tickets: QueueTickets) -> None:
    earlier = QueueTickets(KEY, Clock(NOW - 5000), 0)
    several = [earlier.issue("demo", "ada").session_id for _ in range(10)]
    times = [since(tickets, ticket) for ticket in several]
    assert times == [NOW - 5000 + place for place in range(10)]


def test_a_crowd_does_not_run_ahead_of_the_clock(tickets: QueueTickets) -> None:
    clock = Clock(NOW - 5000)
    earlier = QueueTickets(KEY, clock, 0)
    for _ in range(1500):
        ticket = earlier.issue("demo", "ada")
    assert ticket.since_ms == NOW - 4000
    clock.now_ms = NOW - 3000
    assert earlier.issue("demo", "ada").since_ms == NOW - 3000


@pytest.mark.parametrize(("board", "user"), [("other", "ada"), ("demo", "eve"), ("demoa", "da")])
def test_a_ticket_is_good_for_its_board_and_user_only(
    tickets: QueueTickets, board: str, user: str
) -> None:
    assert since(tickets, issued(), board, user) is None


def test_a_ticket_of_another_server_is_none(tickets: QueueTickets) -> None:
    assert since(tickets, issued(key=b"x" * 32)) is None


def test_a_ticket_that_comes_after_the_grace_is_none() -> None:
    clock = Clock(NOW)
    tickets = QueueTickets(KEY, clock, 30_000)
    clock.now_ms = NOW + 30_000
    assert since(tickets, issued()) == NOW - 1
    clock.now_ms = NOW + 30_001
    assert since(tickets, issued()) is None


def test_a_ticket_ends_after_a_day(tickets: QueueTickets) -> None:
    assert since(tickets, issued(at_ms=NOW - DAY_MS)) == NOW - DAY_MS
    assert since(tickets, issued(at_ms=NOW - DAY_MS - 1)) is None


def test_the_age_of_a_ticket_is_measured_from_the_newest_place_of_the_store() -> None:
    tickets = QueueTickets(KEY, Clock(NOW + 40 * DAY_MS), 30_000, EarlierQueues(NOW))
    assert since(tickets, issued(at_ms=NOW - DAY_MS)) == NOW - DAY_MS
    assert since(tickets, issued(at_ms=NOW - DAY_MS - 1)) is None


def test_a_ticket_is_good_once(tickets: QueueTickets) -> None:
    ticket = issued()
    assert since(tickets, ticket) == NOW - 1
    assert since(tickets, ticket) is None
    # The last character has bits to spare, so other texts are the same ticket.
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert since(tickets, ticket[:-1] + last) is None


def test_a_ticket_that_was_shown_by_somebody_else_is_still_good(tickets: QueueTickets) -> None:
    ticket = issued()
    assert since(tickets, ticket, "demo", "eve") is None
    assert since(tickets, ticket) == NOW - 1


def test_a_ticket_of_a_place_that_ended_is_none_and_later_ones_are_good() -> None:
    earlier = EarlierQueues(NOW - 1, {("demo", "ada"): NOW - 100})
    tickets = QueueTickets(KEY, Clock(NOW), 30_000, earlier)
    assert since(tickets, issued(at_ms=NOW - 101)) is None
    assert since(tickets, issued(at_ms=NOW - 100)) is None
    assert since(tickets, issued(at_ms=NOW - 99)) == NOW - 99
    assert since(tickets, issued("eve", NOW - 101), user_id="eve") == NOW - 101


def test_a_ticket_of_this_start_is_no_place_from_before_it(tickets: QueueTickets) -> None:
    assert since(tickets, tickets.issue("demo", "ada").session_id) is None


def test_an_altered_ticket_is_none(tickets: QueueTickets) -> None:
    ticket = issued()
    for index, old in enumerate(ticket[:-1]):
        altered = ticket[:index] + ("A" if old != "A" else "B") + ticket[index + 1 :]
        assert since(tickets, altered) is None


@given(st.one_of(st.none(), st.text(), st.text(min_size=51, max_size=51)))
def test_anything_else_is_none(text: str | None) -> None:
    assert since(QueueTickets(KEY, Clock(NOW), 0), text) is None


@pytest.mark.parametrize(
    ("newest_ms", "begins_at"), [(None, NOW), (NOW - 5, NOW), (NOW, NOW + 1), (NOW + 7, NOW + 8)]
)
def test_the_clock_of_the_queues_begins_after_every_earlier_place(
    newest_ms: int | None, begins_at: int
) -> None:
    steady = [100.0]
    clock = queue_clock(NOW, newest_ms, lambda: steady[0])
    assert clock() == begins_at
    steady[0] += 1.5
    assert clock() == begins_at + 1500
