"""Logs are one line and hold no secret; numbers are read when asked for."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from presence_server.telemetry import Histogram, Metrics, configure_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestLogs:
    def test_are_json_unless_on_a_terminal(self) -> None:
        piped, terminal = io.StringIO(), Terminal()
        configure_logging(stream=piped)
        structlog.get_logger("a").info("hello", board_id="b1")
        event = json.loads(piped.getvalue())
        assert (event["event"], event["board_id"], event["level"]) == ("hello", "b1", "info")
        assert event["logger"] == "a"
        configure_logging(stream=terminal)
        structlog.get_logger("a").info("hello")
        assert not terminal.getvalue().startswith("{")
        assert "hello" in terminal.getvalue()

    def test_of_libraries_come_out_the_same_way(self) -> None:
        stream = io.StringIO()
        configure_logging(stream=stream)
        logging.getLogger("hypercorn.error").warning("bad %s", "thing")
        event = json.loads(stream.getvalue())
        assert (event["event"], event["logger"]) == ("bad thing", "hypercorn.error")

    def test_of_libraries_never_show_what_they_do_in_detail(self) -> None:
        stream = io.StringIO()
        configure_logging("debug", stream=stream)
        for name in ("sqlalchemy.engine", "websockets.server", "quart.app"):
            logging.getLogger(name).info("INSERT a secret")
        assert stream.getvalue() == ""

    def test_of_warnings_are_events_too(self) -> None:
        stream = io.StringIO()
        configure_logging(stream=stream)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            warnings.warn("old\nthing", stacklevel=1)
        assert "old\nthing" in json.loads(stream.getvalue())["event"]

    def test_under_the_level_are_not_written(self) -> None:
        stream = io.StringIO()
        configure_logging("error", stream=stream)
        structlog.get_logger("a").warning("quiet")
        logging.getLogger("b").warning("quiet")
        assert stream.getvalue() == ""

    @pytest.mark.parametrize("style", ["json", "console"])
    def test_are_one_line_whatever_they_hold(self, style: Literal["json", "console"]) -> None:
        stream = io.StringIO()
        configure_logging(style=style, stream=stream)
        structlog.get_logger("a").info(
            "x\ny", name="evil\r\n\x1b[2Jforged\u2028", other={"k": "\n"}
        )
        logging.getLogger("b").warning("foreign\nline")
        lines = stream.getvalue().split("\n")
        assert len(lines) == 3
        assert lines[2] == ""
        assert "\x1b[2J" not in stream.getvalue()

    @pytest.mark.parametrize("style", ["json", "console"])
    def test_have_no_session_id_that_resumes_anything(
        self, style: Literal["json", "console"]
    ) -> None:
        stream = io.StringIO()
        configure_logging(style=style, stream=stream)
        structlog.get_logger("a").info("closed", session="0123456789abcdefghijkl")
        structlog.get_logger("a").info("closed", session=None)
        assert "01234567" in stream.getvalue()
        assert "012345678" not in stream.getvalue()

    def test_with_a_traceback_on_the_console_are_indented_below(self) -> None:
        stream = io.StringIO()
        configure_logging(style="console", stream=stream)
        try:
            raise ValueError("evil\n2026-01-01 forged")
        except ValueError:
            structlog.get_logger("a").exception("failed")
        first, *rest = stream.getvalue().rstrip("\n").split("\n")
        assert "failed" in first
        assert rest
        assert all(line.startswith(("    ", "Traceback")) for line in rest)

    def test_with_a_traceback_in_json_are_one_line(self) -> None:
        stream = io.StringIO()
        configure_logging(style="json", stream=stream)
        try:
            raise ValueError("postgresql://u:hunter2@h/d")
        except ValueError:
            structlog.get_logger("a").exception("failed")
        assert stream.getvalue().count("\n") == 1
        exception = json.loads(stream.getvalue())["exception"]
        assert "ValueError" in exception
        assert "hunter2" not in exception

    @pytest.mark.parametrize(
        "text",
        [
            "GET /ws/boards/a?token=hunter2&x=1",
            "Authorization: Bearer hunter2",
            "Sec-WebSocket-Protocol: presence.v1, bearer.hunter2",
            "GET /ws/boards/a?session_id=hunter2",
            "redis://:hunter2@cache",
            "postgresql://me:hunter2@db/x",
            "redis://:un/hunter2@cache",
            "AuthRefreshPayload(token='hunter2')",
            "Handshake(query={'session_id': 'hunter2', 'user_id': 'ada'})",
            '{"type": "auth:refresh", "payload": {"token": "hunter2"}}',
            "auth.jwt_secret=hunter2 admin_token=hunter2",
            "no key fits eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2",
            "DETAIL:  Key (board_id, session_id)=(demo, hunter2) already exists.",
        ],
    )
    def test_hold_no_secret_of_a_text(self, text: str) -> None:
        stream = io.StringIO()
        configure_logging(stream=stream)
        structlog.get_logger("a").info(text, detail=text)
        logging.getLogger("b").warning("%s", text)
        assert stream.getvalue().count("\n") == 2
        assert "hunter2" not in stream.getvalue()

    def test_hold_no_value_of_a_secret_key(self) -> None:
        stream = io.StringIO()
        configure_logging(stream=stream)
        structlog.get_logger("a").info("x", token="hunter2", payload={"a": "hunter2"})
        assert "hunter2" not in stream.getvalue()

    def test_hold_no_secret_inside_of_a_value(self) -> None:
        stream = io.StringIO()
        configure_logging(stream=stream)
        structlog.get_logger("a").info(
            "x",
            query={"token": "hunter2", "user_id": "ada", "session_id": "hunter2"},
            raw={b"Authorization": b"hunter2"},
            heads=[("authorization", "Bearer hunter2")],
            head=b"GET /?token=hunter2 HTTP/1.1",
            error=ValueError("token=hunter2"),
        )
        event = json.loads(stream.getvalue())
        assert "hunter2" not in stream.getvalue()
        assert event["query"]["user_id"] == "ada"

    def test_leave_alone_what_is_none(self) -> None:
        stream = io.StringIO()
        configure_logging(stream=stream)
        structlog.get_logger("a").info("token expired", count=3, ratio=0.5, ok=True, user=None)
        event = json.loads(stream.getvalue())
        assert event["event"] == "token expired"
        assert (event["count"], event["ratio"], event["ok"], event["user"]) == (3, 0.5, True, None)


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
