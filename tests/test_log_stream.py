"""Logs never make the server wait, whoever reads them."""

from __future__ import annotations

import io
import sys
import threading

import pytest
import structlog.testing

from presence_server.log_stream import LogStream, log_uncaught_exceptions

PATIENCE_S = 30


class StalledReader(io.StringIO):
    """A pipe that is full until a test empties it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()

    def write(self, text: str) -> int:
        assert self.reads.wait(PATIENCE_S)
        return super().write(text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_arrive_in_order() -> None:
    reader = io.StringIO()
    stream = LogStream(reader)
    for number in range(1000):
        stream.write(f"{number}\n")
    assert stream.finish(PATIENCE_S)
    assert reader.getvalue().split() == [str(number) for number in range(1000)]


def test_a_reader_that_stalls_costs_lines_and_no_time() -> None:
    reader = StalledReader()
    stream = LogStream(reader, max_lines=10)
    with structlog.testing.capture_logs() as logs:
        for number in range(100):
            stream.write(f"{number}\n")
            stream.flush()
        assert not stream.finish(0)
        reader.reads.set()
        assert stream.finish(PATIENCE_S)
    assert reader.getvalue().split() == [str(number) for number in range(10)]
    assert logs == [{"event": "log lines dropped", "lines": 90, "log_level": "warning"}]


def test_a_reader_that_is_gone_does_not_end_it() -> None:
    reader = io.StringIO()
    stream = LogStream(reader)
    reader.close()
    stream.write("lost\n")
    assert stream.finish(PATIENCE_S)


def test_it_is_a_terminal_where_its_reader_is_one() -> None:
    assert LogStream(Terminal()).isatty()
    assert not LogStream(io.StringIO()).isatty()


def test_it_has_a_file_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    stream = LogStream.of_stderr()
    stream.write("hello \udc80\n")
    assert stream.finish(PATIENCE_S)
    assert capfd.readouterr().err == "hello \\udc80\n"


def test_it_writes_to_what_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    instead = io.StringIO()
    monkeypatch.setattr(sys, "stderr", instead)
    stream = LogStream.of_stderr()
    stream.write("hello\n")
    assert stream.finish(PATIENCE_S)
    assert instead.getvalue() == "hello\n"


def test_what_nobody_catches_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    log_uncaught_exceptions()

    class Broken:
        def __del__(self) -> None:
            raise RuntimeError("in a finalizer")

    def end() -> None:
        raise RuntimeError("in a thread")

    with structlog.testing.capture_logs() as logs:
        Broken()
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
    assert [entry["event"] for entry in logs] == ["a finalizer failed", "a thread failed"]
    assert [str(entry["exc_info"]) for entry in logs] == ["in a finalizer", "in a thread"]
