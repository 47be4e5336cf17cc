"""The numbers of a server in Prometheus' form."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from presence_server.metrics import Histogram, Metrics


def read(metrics: Metrics) -> dict[str, float]:
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


class TestMetrics:
    def test_gauges_are_read_when_asked_for(self) -> None:
        metrics, users = Metrics(), [1]
        metrics.observe(users=lambda: len(users), connections=lambda: 3)
        users.append(2)
        values = read(metrics)
        assert values["presence_users"] == 2
        assert values["presence_connections"] == 3

    def test_unknown_gauges_are_refused(self) -> None:
        with pytest.raises(KeyError):
            Metrics().observe(unicorns=lambda: 1)

    def test_counters_that_others_keep_are_read_when_asked_for(self) -> None:
        metrics, kept = Metrics(), [3]
        metrics.count(document_updates=lambda: kept[0])
        assert read(metrics)["presence_document_updates_total"] == 3
        kept[0] = 5
        assert read(metrics)["presence_document_updates_total"] == 5
        assert metrics.numbers().counters["document_updates"] == 5
        with pytest.raises(KeyError):
            metrics.count(nothing=lambda: 1)

    def test_counters_are_attributes(self) -> None:
        metrics = Metrics()
        metrics.messages_received += 5
        metrics.bad_messages += 1
        values = read(metrics)
        assert values["presence_messages_received_total"] == 5
        assert values["presence_bad_messages_total"] == 1

    def test_a_flush_counts_each_delivery_and_its_size_once(self) -> None:
        metrics = Metrics()
        metrics.flush(deliveries=300, frames=3)
        metrics.flush(deliveries=10_000, frames=1000)
        values = read(metrics)
        assert values["presence_deliveries_total"] == 10_300
        assert values["presence_flush_frames_bucket2.0"] == 0
        assert values["presence_flush_frames_bucket5.0"] == 1
        assert values["presence_flush_frames_bucket+Inf"] == 2
        assert values["presence_flush_frames_sum"] == 1003

    def test_join_latency_is_a_histogram(self) -> None:
        metrics = Metrics()
        metrics.joined(0.005)
        metrics.joined(0.03)
        values = read(metrics)
        assert values["presence_join_seconds_bucket0.005"] == 1
        assert values["presence_join_seconds_count"] == 2

    def test_servers_do_not_share_numbers(self) -> None:
        first, second = Metrics(), Metrics()
        first.deliveries += 1
        assert read(second)["presence_deliveries_total"] == 0

    def test_a_bound_belongs_to_its_bucket(self) -> None:
        histogram = Histogram((1, 2))
        for value in (1, 2, 3):
            histogram.observe(value)
        assert histogram.buckets() == [("1.0", 1), ("2.0", 2), ("+Inf", 3)]
