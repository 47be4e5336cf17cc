"""Binary messages over the limit are read more slowly, and none is dropped."""

from __future__ import annotations

import pytest

from presence_server.protocol.binary_budget import (
    BYTES_A_MESSAGE,
    CHECKED_BYTES,
    MAX_PAUSE_S,
    BinaryBudget,
)


def test_a_burst_is_read_at_once_and_then_the_rate_counts() -> None:
    budget = BinaryBudget(10, 3, 0.0)
    assert [budget.spend(0.0, 20) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert budget.spend(0.3, 20) == 0.0


def test_it_recovers_no_further_than_its_burst() -> None:
    budget = BinaryBudget(10, 3, 0.0)
    assert [budget.spend(100.0, 20) for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]


def test_a_long_message_counts_as_several() -> None:
    budget = BinaryBudget(10, 3, 0.0)
    assert budget.spend(0.0, 4 * BYTES_A_MESSAGE) == pytest.approx(0.2)


def test_the_part_of_a_long_message_that_is_not_checked_counts_less() -> None:
    budget = BinaryBudget(100, 17, 0.0)
    assert budget.spend(0.0, CHECKED_BYTES - 1) == 0.0
    assert BinaryBudget(100, 18, 0.0).spend(0.0, CHECKED_BYTES) == 0.0
    assert BinaryBudget(100, 18, 0.0).spend(0.0, 4 * CHECKED_BYTES) == pytest.approx(0.03)


def test_it_is_overdrawn_if_the_longest_pause_is_not_enough() -> None:
    budget = BinaryBudget(10, 3, 0.0)
    for _ in range(23):
        budget.spend(0.0, 20)
    assert not budget.is_overdrawn(0.0)
    budget.spend(0.0, 20)
    assert budget.is_overdrawn(0.0)
    assert not budget.is_overdrawn(0.1)


def test_other_work_may_be_charged_as_messages() -> None:
    budget = BinaryBudget(10, 3, 0.0)
    budget.charge(3)
    assert budget.spend(0.0, 20) == pytest.approx(0.1)


def test_a_pause_is_bounded() -> None:
    assert BinaryBudget(1, 1, 0.0).spend(0.0, 2**24) == MAX_PAUSE_S
