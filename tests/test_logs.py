"""Each log event is one line and holds no secret."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from presence_server.logs import configure_logging


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
