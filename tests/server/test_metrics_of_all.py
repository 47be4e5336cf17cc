"""The numbers of several processes as those of one server."""

from __future__ import annotations

from presence_server.metrics import Metrics, Numbers
from presence_server.refusals import RefusalReason
from presence_server.server.metrics_of_all import (
    ProcessNumbers,
    added,
    system_numbers,
    text_of_all,
)


def metrics_of(users: int, joins: int, *, store_up: bool = True) -> Numbers:
    metrics = Metrics()
    metrics.observe(users=lambda: users, store_up=lambda: store_up)
    metrics.connections_accepted = joins
    for number in range(joins):
        metrics.joined(0.001 * 10 ** (number % 3))
    metrics.refusals.note(RefusalReason.LIMIT)
    return metrics.numbers()


def values(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_one_process_says_the_same_with_and_without_others() -> None:
    metrics = Metrics()
    metrics.connections_accepted = 7
    metrics.joined(0.2)
    alone = {
        name: value for name, value in values(metrics.text()).items() if "process_" not in name
    }
    together = values(text_of_all({0: ProcessNumbers(metrics.numbers())}))
    created = {name for name in alone if name.endswith("_created")}
    assert {n: v for n, v in alone.items() if n not in created}.items() <= together.items()


def test_counters_histograms_and_counts_are_sums_and_the_rest_has_a_label() -> None:
    parts = {
        0: ProcessNumbers(metrics_of(3, 6), system_numbers()),
        2: ProcessNumbers(metrics_of(4, 3, store_up=False), system_numbers()),
    }
    found = values(text_of_all(parts))
    assert found["presence_users"] == 7
    assert found["presence_connections_accepted_total"] == 9
    assert found['presence_refusals_total{reason="limit"}'] == 2
    assert found['presence_join_seconds_bucket{le="0.001"}'] == 3
    assert found["presence_join_seconds_count"] == 9
    assert found['presence_store_up{process="0"}'] == 1
    assert found['presence_store_up{process="2"}'] == 0
    assert "presence_store_up" not in found
    assert found['process_open_fds{process="2"}'] > 0
    assert found['process_cpu_seconds_total{process="0"}'] > 0
    assert found["presence_processes"] == 2


def test_a_process_that_does_not_answer_has_what_it_counted_and_no_gauges() -> None:
    gone = ProcessNumbers(metrics_of(5, 2), system_numbers()).lasting()
    found = values(text_of_all({0: ProcessNumbers(metrics_of(3, 6), system_numbers()), 1: gone}))
    assert found["presence_users"] == 3
    assert found["presence_connections_accepted_total"] == 8
    assert found["presence_processes"] == 1
    assert 'presence_store_up{process="1"}' not in found


def test_a_sum_of_nothing_is_nothing() -> None:
    assert added([]) == Numbers()
