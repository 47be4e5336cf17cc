"""What one connection may send, section 4: RATE_LIMITED, 4429 and 4400."""

from __future__ import annotations

from presence_server.protocol.budget import (
    MAX_REST_S,
    NOTICE_INTERVAL_S,
    REST_S,
    MessageBudget,
    Verdict,
)

ACCEPT, TELL, DROP, CLOSE = Verdict.ACCEPT, Verdict.DROP_AND_TELL, Verdict.DROP, Verdict.CLOSE


def test_a_burst_is_accepted_then_the_rate() -> None:
    budget = MessageBudget(10, 3, 0.0)
    assert [budget.spend(0.0) for _ in range(4)] == [ACCEPT, ACCEPT, ACCEPT, TELL]
    assert [budget.spend(0.125), budget.spend(0.125)] == [ACCEPT, DROP]


def test_a_pause_saves_up_no_more_than_the_burst() -> None:
    budget = MessageBudget(10, 3, 0.0)
    assert [budget.spend(100.0) for _ in range(4)] == [ACCEPT, ACCEPT, ACCEPT, TELL]


def test_rate_limited_is_sent_at_most_once_a_second() -> None:
    budget = MessageBudget(1, 1, 0.0)
    budget.spend(0.0)
    at = [0.0, 0.5, 0.75]
    assert [budget.spend(now) for now in at] == [TELL, DROP, DROP]
    assert [budget.spend(1.0), budget.spend(1.0)] == [ACCEPT, TELL]


def test_ten_seconds_of_it_in_a_row_close_the_connection() -> None:
    budget = MessageBudget(1, 1, 0.0)
    verdicts = [budget.spend(tick / 4) for tick in range(60)]
    assert verdicts.index(CLOSE) / 4 >= 10
    assert CLOSE in verdicts[:46]


def test_a_client_that_slows_down_in_between_is_forgiven() -> None:
    budget = MessageBudget(1, 1, 0.0)
    for start in (0.0, 12.0, 24.0):
        verdicts = [budget.spend(start + tick / 4) for tick in range(32)]
        assert CLOSE not in verdicts


def test_retry_after_is_when_the_next_message_would_be_accepted() -> None:
    budget = MessageBudget(4, 1, 0.0)
    budget.spend(0.0)
    assert budget.spend(0.0) is TELL
    after = budget.retry_after_ms()
    assert 250 <= after <= 251
    assert budget.spend(after / 1000) is ACCEPT


def test_the_rest_after_a_refusal_grows_while_it_goes_on() -> None:
    budget = MessageBudget(1, 1, 0.0)
    rests = []
    for tick in range(40):
        budget.spend(tick / 4)
        rests.append(budget.rest_s())
    assert rests[1] == REST_S
    assert rests == sorted(rests)
    assert REST_S < rests[-1] <= MAX_REST_S
    # A pause, and it is short again; and never so long that the row would be broken.
    for _ in range(3):
        budget.spend(20.0)
    assert budget.rest_s() == REST_S
    assert MAX_REST_S < 2 * NOTICE_INTERVAL_S


def test_patience_ends_with_20_bad_messages_within_10_seconds() -> None:
    budget = MessageBudget(50, 100, 0.0)
    assert [budget.bad_message(n / 2) for n in range(20)] == [False] * 19 + [True]


def test_bad_messages_spread_further_apart_are_borne() -> None:
    budget = MessageBudget(50, 100, 0.0)
    assert not any(budget.bad_message(n * 0.55) for n in range(200))


def test_several_messages_are_charged_at_once_or_not_at_all() -> None:
    budget = MessageBudget(10, 20, 0)
    assert budget.charge(15, 0)
    assert not budget.charge(15, 0)
    assert budget.retry_after_ms(15) == 1001
    assert [budget.spend(0) for _ in range(6)] == [*[Verdict.ACCEPT] * 5, Verdict.DROP_AND_TELL]
    assert budget.charge(20, 1000), "no more than the burst is saved up"
    assert not budget.charge(1, 1000)


def test_a_long_message_counts_as_several() -> None:
    budget = MessageBudget(10, 20, 0)
    assert budget.spend(0, 2047) is ACCEPT  # 19 are left.
    assert budget.spend(0, 2048) is ACCEPT  # 17
    assert budget.spend(0, 16_384) is ACCEPT  # 8
    assert budget.spend(0, 16_384) is TELL
    assert budget.spend(0.1, 16_384) is ACCEPT


def test_the_longest_message_is_accepted_by_a_full_budget() -> None:
    budget = MessageBudget(10, 20, 0)
    assert budget.spend(0, 2**20) is ACCEPT
    assert budget.spend(0) is TELL
