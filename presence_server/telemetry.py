"""What the server says about itself: structured logs on stderr, and numbers.

A log event is one line, whoever wrote it and whatever it holds; secrets are cut out
before it is written. Counting costs the hot path an addition: the numbers are plain
attributes, and become Prometheus metrics only when somebody asks.
"""

from __future__ import annotations

import logging
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Literal, Protocol

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from structlog.typing import Processor

# --- logs ---------------------------------------------------------------------

_LIBRARIES = (
    "aiosqlite",
    "alembic",
    "asyncio",
    "hpack",
    "hypercorn",
    "push_response",  # of redis-py
    "quart",
    "redis",
    "sqlalchemy",
    "trio-websocket",
    "trio_asyncio",
    "websockets",
)
"""They log statements, headers and payloads on levels under WARNING."""

_SECRET_KEYS = frozenset(
    {
        *("authorization", "body", "cookie", "jwt", "password", "payload", "secret"),
        *("session_id", "token"),
    }
)
_SECRETS = (
    # In a query, as an argument or attribute in a repr, and in JSON or a dict.
    (
        re.compile(
            r"(?i)((?:token|jwt|secret|password|session_id)(?:=|[\"']:\s?))"
            r"(?:\"[^\"\n]*\"?|'[^'\n]*'?|[^&\s\"',)}\]]+)"
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"(?i)\b(bearer)[ .]{1,8}[\w.~+/=-]+"), r"\1 [redacted]"),
    # A JWT, wherever it stands.
    (re.compile(r"(?<![\w-])eyJ[\w-]{1,4096}\.[\w-]{1,16384}\.[\w-]*"), "[redacted]"),
    (re.compile(r"(://[^/\s:@]{0,256}):[^\s@]{1,512}@"), r"\1:[redacted]@"),
    # What PostgreSQL says of a row that is there already.
    (re.compile(r"(Key \([^)]{0,256}\))=\([^)]{0,1024}\)"), r"\1=([redacted])"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LogOutput(Protocol):
    """Where lines go; a file, or what looks like one."""

    def write(self, text: str, /) -> object:
        """Take a line."""

    def flush(self) -> object:
        """Pass it on."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""


def configure_logging(
    level: str = "info",
    style: Literal["console", "json"] | None = None,
    stream: LogOutput | None = None,
) -> None:
    """Send structlog's and the standard library's events to ``stream`` (stderr).

    Without a ``style`` it is console on a terminal, else JSON. Affects the whole
    process; the command line calls it, the server itself does not.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if style is None else style == "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    rendering: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
    ]
    if as_json:
        rendering += [structlog.processors.JSONRenderer()]
    else:
        rendering += [one_line, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=rendering,
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        )
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


SESSION_SHOWN = 8
"""How many characters of a session id a log shows."""


def redact(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    """Cut tokens, secrets and passwords out of an event, tracebacks included."""
    for key, value in event.items():
        event[key] = _without_secrets(key, value)
    return event


def _without_secrets(key: str, value: object) -> object:
    name = key.lower()
    if name in _SECRET_KEYS:
        return "[redacted]"
    if name == "session" and isinstance(value, str):
        # Enough to tell sessions apart; the whole of it resumes one.
        return value[:SESSION_SHOWN]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_text(k): _without_secrets(_text(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets("", item) for item in value]
    text = value if isinstance(value, str) else repr(value)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _text(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def one_line(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    """Escape what could end the line or steer the terminal.

    A traceback keeps its lines, each indented, so that none can pass for an event.
    """
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n    ".join(_CONTROL.sub(_escape, line) for line in lines)
    return event


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


# --- numbers --------------------------------------------------------------------

FLUSH_FRAMES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
JOIN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Histogram:
    """Observations in buckets; one addition to a list each."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count ``value`` in the first bucket whose bound it does not exceed."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus wants them."""
        seen = 0
        buckets: list[tuple[str, float]] = []
        names = [str(float(bound)) for bound in self.bounds]
        for name, count in zip((*names, "+Inf"), self.counts, strict=True):
            seen += count
            buckets.append((name, seen))
        return buckets


class Metrics:
    """The numbers of one server. Counters are plain attributes, to be added to."""

    def __init__(self) -> None:
        self.connections_accepted = 0
        self.connections_refused = 0
        self.messages_received = 0
        self.bad_messages = 0
        self.deliveries = 0
        self.store_flushes = 0
        self.store_failures = 0
        self.cache_failures = 0
        self.flush_frames = Histogram(FLUSH_FRAMES)
        self.join_seconds = Histogram(JOIN_SECONDS)
        self._gauges: dict[str, Callable[[], float]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_MetricsCollector(self))
        ProcessCollector(registry=self._registry)

    def observe(self, **gauges: Callable[[], float]) -> None:
        """Where to read a gauge when somebody asks.

        Known names: ``connections``, ``boards``, ``users``, ``queue_length``,
        ``store_up`` and ``cache_up`` (0 or 1), ``store_backlog``, ``tasks``, ``timers``.

        Raises:
            KeyError: an unknown name.
        """
        for name, read in gauges.items():
            _GAUGES[name]
            self._gauges[name] = read

    def flush(self, deliveries: int, frames: int) -> None:
        """A flush wrote ``frames`` to its members, ``deliveries`` in all."""
        self.deliveries += deliveries
        self.flush_frames.observe(frames)

    def joined(self, seconds: float) -> None:
        """A connection got ``board:joined`` this long after it asked."""
        self.join_seconds.observe(seconds)

    def text(self) -> bytes:
        """All numbers in the Prometheus text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """All numbers as Prometheus' metric families."""
        for name, read in self._gauges.items():
            yield GaugeMetricFamily(f"presence_{name}", _GAUGES[name], value=read())
        for name, help_text in _COUNTERS.items():
            yield CounterMetricFamily(f"presence_{name}", help_text, value=getattr(self, name))
        for name, help_text, histogram in (
            ("flush_frames", "Frames written to each member in one flush.", self.flush_frames),
            ("join_seconds", "From the request to board:joined.", self.join_seconds),
        ):
            yield HistogramMetricFamily(
                f"presence_{name}",
                help_text,
                buckets=histogram.buckets(),
                sum_value=histogram.total,
            )


class _MetricsCollector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.collect()


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
}
_COUNTERS = {
    "connections_accepted": "WebSocket connections accepted.",
    "connections_refused": "Connections refused: over a limit, draining, wrong origin.",
    "messages_received": "Messages received from clients.",
    "bad_messages": "Messages that were dropped with an error.",
    "deliveries": "Frames written to members by broadcasts.",
    "store_flushes": "Transactions with rows in them that the database committed.",
    "store_failures": "Operations on the database that failed.",
    "cache_failures": "Operations on the cache that failed.",
}
