"""Logs never make the server wait, whoever reads them."""

from __future__ import annotations

import io
import threading

import structlog.testing

from presence_server.log_stream import LogStream

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
