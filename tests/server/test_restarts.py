"""The pauses before a child is started again."""

from __future__ import annotations

import pytest

from presence_server.server.restarts import RestartPolicy


def test_a_child_that_served_for_a_second_is_replaced_at_once() -> None:
    policy = RestartPolicy()
    assert [policy.died(1.0) for _ in range(20)] == [0] * 20
    assert policy.restarts == 20


def test_one_that_dies_before_makes_the_next_wait_longer_and_longer() -> None:
    policy = RestartPolicy()
    waits = [policy.died(0.5) for _ in range(10)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10])


def test_that_is_forgotten_after_thirty_seconds_of_service() -> None:
    policy = RestartPolicy()
    assert [policy.died(0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.4])
    assert policy.died(29) == 0
    assert policy.died(0) == pytest.approx(0.8)
    assert policy.died(30) == 0
    assert policy.died(0) == pytest.approx(0.1)
