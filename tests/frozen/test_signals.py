"""The launcher's second copy of a signal is not counted; a person's second signal is."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from presence_server.frozen import without_echoes
from presence_server.frozen.signals import ECHO_WINDOW_S
from tests.frozen.builds import as_single_file

INT, TERM = signal.SIGINT, signal.SIGTERM


async def arriving(*arrivals: tuple[float, int]) -> AsyncIterator[int]:
    start = trio.current_time()
    for after_s, number in arrivals:
        await trio.sleep_until(start + after_s)
        yield number


async def counted(*arrivals: tuple[float, int]) -> list[int]:
    return [number async for number in without_echoes(arriving(*arrivals))]


async def test_a_package_counts_every_signal(autojump_clock: trio.testing.MockClock) -> None:
    assert await counted((0, INT), (0.001, INT), (0.002, TERM)) == [INT, INT, TERM]


async def test_a_single_file_counts_a_signal_and_its_echo_once(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_single_file(monkeypatch, tmp_path)
    later = ECHO_WINDOW_S + 0.1
    arrivals = [(0, TERM), (0.001, TERM), (0.2, INT), (0.201, INT), (later, TERM)]
    assert await counted(*arrivals, (later + 0.001, TERM)) == [TERM, INT, TERM]


class TestEndAtNextSignal:
    """In a process of its own, which says when it waits."""

    SCRIPT = """
import signal, sys, time
from presence_server.frozen import end_at_next_signal, signals
signals.ECHO_WINDOW_S = float(sys.argv[1])
if len(sys.argv) > 2:
    sys.frozen, sys._MEIPASS, sys.executable = True, sys.argv[2], "/usr/local/bin/x"
end_at_next_signal(signal.SIGINT, signal.SIGTERM)
print("waits", flush=True)
sys.stdin.readline()
"""

    def ended_by(self, number: signal.Signals, window_s: float, *unpacked: str) -> int:
        with subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, str(window_s), *unpacked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(number)
            process.communicate(b"\n", timeout=60)
        return process.returncode

    @pytest.mark.parametrize("number", [INT, TERM])
    def test_ends_a_package(self, number: signal.Signals) -> None:
        assert self.ended_by(number, 3600) == -number

    @pytest.mark.parametrize("number", [INT, TERM])
    def test_ends_a_single_file_but_not_by_an_echo(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        assert self.ended_by(number, 3600, str(tmp_path)) == 0
        assert self.ended_by(number, 0, str(tmp_path)) == -number
