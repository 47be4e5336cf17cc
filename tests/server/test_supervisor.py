"""What a supervisor does when its children die, fail, are deaf, or lose the store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from presence_server.server.child import Child
from presence_server.server.control import (
    Alive,
    Channel,
    Order,
    Owns,
    open_channel,
    read_reports,
    send_order,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def supervised(scenario: str, tmp_path: Path) -> tuple[int, list[str]]:
    """Run a scenario; its exit code and its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.server.fake_family", scenario, str(tmp_path / "mark")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def test_a_worker_that_dies_is_started_again_and_sigterm_drains_all(tmp_path: Path) -> None:
    code, lines = supervised("dies", tmp_path)
    assert code == 0
    assert [line for line in lines if line.startswith("start")] == [
        "start 0 0",
        "start 1 0",
        "start 1 1",
        "start 1 2",
    ]
    assert lines.count("order DRAIN") == 2


def test_a_worker_that_exits_with_2_ends_all_with_its_reason(tmp_path: Path) -> None:
    code, lines = supervised("code-2", tmp_path)
    assert code == 2
    assert lines[-1] == "wrong redis.url: no database.url: no"
    assert [line for line in lines if line.startswith("start")] == ["start 0 0", "start 1 0"]


def test_a_keeper_that_cannot_prepare_the_store_ends_all_before_a_worker_starts(
    tmp_path: Path,
) -> None:
    assert supervised("keeper-75", tmp_path) == (75, ["failed the database is down"])


def test_a_worker_that_does_not_obey_is_killed_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    code, _ = supervised("deaf", tmp_path)
    assert code == 0
    # Its sleep of a minute is not waited for.
    assert time.monotonic() - began < 55


def test_when_the_store_is_lost_the_workers_give_up_and_everything_begins_anew(
    tmp_path: Path,
) -> None:
    code, lines = supervised("lost", tmp_path)
    assert lines.count("order GIVE_UP") == 2
    assert lines.index("renew") > max(
        number for number, line in enumerate(lines) if line == "order GIVE_UP"
    )
    # The keeper of the second beginning fails, which ends the test.
    assert code == 2


def test_silence_counts_only_while_the_supervisor_listens() -> None:
    ours, theirs = open_channel()
    child = Child("0", os.getpid(), ours, now=100.0)
    assert child.silent_s(100.25, 0.5) == pytest.approx(0.25)
    # The supervisor stood still for an hour: it could hear nobody.
    assert child.silent_s(3700.0, 0.5) == pytest.approx(0.75)
    Channel(theirs).report(Alive())
    assert list(child.reports(3700.1)) == [Alive()]
    assert child.silent_s(3700.3, 0.5) == pytest.approx(0.2)
    ours.close()
    theirs.close()


async def test_reports_and_orders_arrive_whole_and_a_dead_supervisor_ends_the_orders() -> None:
    ours, theirs = open_channel()
    channel = Channel(theirs)
    for _ in range(3):
        channel.report(Owns(7))
    assert list(read_reports(ours)) == [Owns(7)] * 3
    orders: list[Order] = []
    send_order(ours, Order.DRAIN)
    send_order(ours, Order.END)
    ours.close()
    await channel.obey(orders.append)
    assert orders == [Order.DRAIN, Order.END]
    theirs.close()


def test_a_channel_that_nobody_reads_blocks_nobody() -> None:
    ours, theirs = open_channel()
    channel = Channel(theirs)
    for _ in range(10_000):
        channel.report(Alive())
        send_order(ours, Order.DRAIN)
    ours.close()
    channel.report(Alive())
    theirs.close()
