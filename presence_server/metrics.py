"""The numbers of a server, for Prometheus.

The hot path pays one addition for each: the numbers are plain attributes, and become
Prometheus metrics only when `/metrics` is read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from .refusals import RefusalCounter

FLUSH_FRAMES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
JOIN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


STORED_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
QUEUE_SECONDS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


class Histogram:
    """Observations counted in buckets; each costs one addition to a list.

    Args:
        bounds: the upper bounds of the buckets, ascending.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count ``value`` in the first bucket whose bound is not below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, in Prometheus' form."""
        seen = 0
        buckets: list[tuple[str, float]] = []
        names = [str(float(bound)) for bound in self.bounds]
        for name, count in zip((*names, "+Inf"), self.counts, strict=True):
            seen += count
            buckets.append((name, seen))
        return buckets


class Numbers(Struct):
    """The numbers of a server at one moment.

    Attributes:
        counters: by name.
        refusals: clients that were turned away, by reason.
        histograms: by name, how often each bucket was met, and the sum of what was observed.
        gauges: by name.
    """

    counters: dict[str, float] = {}
    refusals: dict[str, float] = {}
    histograms: dict[str, tuple[list[int], float]] = {}
    gauges: dict[str, float] = {}


class Metrics:
    """The numbers of one server. Counters are plain attributes; add to them."""

    def __init__(self) -> None:
        self.connections_accepted = 0
        self.connections_refused = 0
        self.messages_received = 0
        self.bad_messages = 0
        self.deliveries = 0
        self.store_flushes = 0
        self.store_failures = 0
        self.store_unreadable = 0
        self.cache_failures = 0
        self.document_updates = 0
        self.document_updates_refused = 0
        self.document_helper_restarts = 0
        self.flush_frames = Histogram(FLUSH_FRAMES)
        self.join_seconds = Histogram(JOIN_SECONDS)
        self.refusals = RefusalCounter()
        self.queue_seconds = Histogram(QUEUE_SECONDS)
        self.document_stored_seconds = Histogram(STORED_SECONDS)
        self._gauges: dict[str, Callable[[], float]] = {}
        self._counts: dict[str, Callable[[], float]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_MetricsCollector(self))
        ProcessCollector(registry=self._registry)

    def observe(self, **gauges: Callable[[], float]) -> None:
        """Register the functions that gauges are read by.

        Names: ``connections``, ``boards``, ``users``, ``queue_length``,
        ``store_up`` and ``cache_up`` (0 or 1), ``store_backlog``, ``tasks``, ``timers``,
        ``documents``, ``document_bytes``.

        Raises:
            KeyError: there is no gauge of this name.
        """
        for name, read in gauges.items():
            _GAUGES[name]
            self._gauges[name] = read

    def count(self, **counters: Callable[[], float]) -> None:
        """Register the functions that counters are read by which others keep.

        Raises:
            KeyError: there is no counter of this name.
        """
        for name, read in counters.items():
            _COUNTERS[name]
            self._counts[name] = read

    def flush(self, deliveries: int, frames: int) -> None:
        """Count a flush that wrote ``frames`` to each member, ``deliveries`` in all."""
        self.deliveries += deliveries
        self.flush_frames.observe(frames)

    def joined(self, seconds: float) -> None:
        """Count a connection that got ``board:joined`` so many seconds after its seat was free."""
        self.join_seconds.observe(seconds)

    def waited(self, seconds: float) -> None:
        """Count a connection that got a seat so many seconds after it came into the queue."""
        self.queue_seconds.observe(seconds)

    def text(self) -> bytes:
        """All numbers in the Prometheus text format."""
        return generate_latest(self._registry)

    def numbers(self) -> Numbers:
        """All numbers of this moment."""
        histograms = {name: getattr(self, name) for name in _HISTOGRAMS}
        return Numbers(
            {name: getattr(self, name) for name in _COUNTERS}
            | {name: read() for name, read in self._counts.items()},
            {reason.value: count for reason, count in self.refusals.counts.items()},
            {name: (list(found.counts), found.total) for name, found in histograms.items()},
            {name: read() for name, read in self._gauges.items()},
        )


def families(numbers: Numbers) -> Iterable[Metric]:
    """All numbers as Prometheus' metric families."""
    for name, value in numbers.gauges.items():
        yield GaugeMetricFamily(f"presence_{name}", _GAUGES[name], value=value)
    for name, value in numbers.counters.items():
        help_text = _COUNTERS.get(name) or _COUNTERS_OF_SEVERAL[name]
        yield CounterMetricFamily(f"presence_{name}", help_text, value=value)
    refused = CounterMetricFamily(
        "presence_refusals", "Clients that were turned away, by reason.", labels=["reason"]
    )
    for reason, count in numbers.refusals.items():
        refused.add_metric([reason], count)
    yield refused
    for name, (counts, total) in numbers.histograms.items():
        help_text, bounds = _HISTOGRAMS[name]
        histogram = Histogram(bounds)
        histogram.counts, histogram.total = counts, total
        yield HistogramMetricFamily(
            f"presence_{name}", help_text, buckets=histogram.buckets(), sum_value=total
        )


class _MetricsCollector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @override
    def collect(self) -> Iterable[Metric]:
        return families(self._metrics.numbers())


_GAUGES = {
    "connections": "WebSocket connections.",
    "boards": "Boards that are live.",
    "users": "Distinct users on all boards, seated.",
    "queue_length": "Users who wait for a seat.",
    "store_up": "Whether the database answers.",
    "cache_up": "Whether the cache answers.",
    "store_backlog": "Rows that wait to be written.",
    "tasks": "Trio tasks of the process.",
    "timers": "Alarms that connections and boards have set.",
    "documents": "Yjs documents that are open.",
    "document_bytes": "Size of all stored Yjs documents, measured every 10 minutes.",
}
_HISTOGRAMS = {
    "flush_frames": ("Frames written to each member in one flush.", FLUSH_FRAMES),
    "join_seconds": ("From the request, or the end of the queue, to board:joined.", JOIN_SECONDS),
    "document_stored_seconds": (
        "From a change of a Yjs document to its commit: the first change of each flush.",
        STORED_SECONDS,
    ),
    "queue_seconds": ("From board:queued to a free seat.", QUEUE_SECONDS),
}
_COUNTERS_OF_SEVERAL = {
    "handovers": "Requests that the process that accepted them handed to the board's process.",
    "process_restarts": "Processes of this server that died and were replaced.",
}
"""Only a server of several processes has these."""
_COUNTERS = {
    "connections_accepted": "WebSocket connections accepted.",
    "connections_refused": "Connections refused: over a limit, draining, wrong origin.",
    "messages_received": "Messages received from clients.",
    "bad_messages": "Messages that were dropped with an error.",
    "deliveries": "Frames written to members by broadcasts.",
    "store_flushes": "Transactions with rows in them that the database committed.",
    "store_failures": "Operations on the database that failed.",
    "store_unreadable": "Times that a broken row in the database was set aside.",
    "cache_failures": "Operations on the cache that failed.",
    "document_updates": "Changes of Yjs documents that were relayed or merged.",
    "document_updates_refused": "Changes not taken whole: holes, damage, or too large.",
    "document_helper_restarts": "Times that the helper process for documents was replaced.",
}
