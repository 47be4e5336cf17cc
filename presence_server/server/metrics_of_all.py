"""The numbers of several processes as those of one server.

Counters, histograms and gauges that count something are sums. A number that no sum can be made of
has a label ``process``. What a process counted outlives it: it notes what it told last, and its
successor goes on from there. So no counter of the server goes back when a process is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from ..metrics import Numbers, families

_NOT_SUMMED = ("store_up", "cache_up", "document_bytes")


class ProcessNumbers(Struct):
    """The numbers of one process.

    Attributes:
        numbers: those of the server's own metrics.
        system: those that the system keeps of the process, as Prometheus names them.
    """

    numbers: Numbers
    system: dict[str, float] = {}

    def lasting(self) -> ProcessNumbers:
        """Only what outlives the process: gauges are those of a moment."""
        found = self.numbers
        return ProcessNumbers(Numbers(found.counters, found.refusals, found.histograms))


def system_numbers() -> dict[str, float]:
    """The numbers that the system keeps of this process."""
    return {
        sample.name: sample.value
        for family in ProcessCollector(registry=CollectorRegistry()).collect()
        for sample in family.samples
    }


def added(parts: Iterable[Numbers]) -> Numbers:
    """The sum of the numbers of several processes.

    Args:
        parts: of each process.
    """
    total = Numbers()
    for part in parts:
        for name, value in part.counters.items():
            total.counters[name] = total.counters.get(name, 0) + value
        for name, value in part.refusals.items():
            total.refusals[name] = total.refusals.get(name, 0) + value
        for name, value in part.gauges.items():
            total.gauges[name] = total.gauges.get(name, 0) + value
        for name, (counts, observed) in part.histograms.items():
            before, observed_before = total.histograms.get(name, ([0] * len(counts), 0.0))
            both = [a + b for a, b in zip(before, counts, strict=True)]
            total.histograms[name] = both, observed_before + observed
    return total


def text_of_all(parts: Mapping[int, ProcessNumbers]) -> bytes:
    """The numbers of all processes in the Prometheus text format.

    Args:
        parts: by slot; a process that does not answer has its lasting numbers only.
    """
    registry = CollectorRegistry()
    registry.register(_OfAll(parts))
    return generate_latest(registry)


class _OfAll(Collector):
    def __init__(self, parts: Mapping[int, ProcessNumbers]) -> None:
        self._parts = parts

    @override
    def collect(self) -> Iterable[Metric]:
        total = added(part.numbers for part in self._parts.values())
        for name in _NOT_SUMMED:
            total.gauges.pop(name, None)
        yield from families(total)
        answering = sum(bool(part.system) for part in self._parts.values())
        yield GaugeMetricFamily(
            "presence_processes", "Processes of this server that answer.", value=answering
        )
        for name in _NOT_SUMMED:
            values = {
                slot: part.numbers.gauges[name]
                for slot, part in self._parts.items()
                if name in part.numbers.gauges
            }
            yield _labelled(f"presence_{name}", values)
        for name in sorted({name for part in self._parts.values() for name in part.system}):
            values = {
                slot: part.system[name] for slot, part in self._parts.items() if name in part.system
            }
            yield _labelled(name, values)


def _labelled(name: str, values: Mapping[int, float]) -> Metric:
    """One number of each process, by its slot."""
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name.removesuffix("_total"), "Of each process.", labels=["process"])
    for slot, value in values.items():
        family.add_metric([str(slot)], value)
    return family
