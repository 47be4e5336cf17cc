"""The launcher's second copy of a signal is not counted; a person's second signal is."""

from __future__ import annotations

import signal
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
