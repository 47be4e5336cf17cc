"""How long users are away when a process of several dies: ``make bench-process-faults``.

Kills one of four processes again and again, and then stops one, under joins and moves. Each time
all users of its boards must come back into their sessions; nobody else may notice (the same checks
as in the tests). Beside it: how long a whole server takes to start, on the same machine at the same
time. With ``SERVER_UNDER_TEST=dist/presence-server`` it measures the single file.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import tempfile
from pathlib import Path

import trio

from tests.server.process import server_process
from tests.server.process_crowd import Crowd, interrupt, kill_again_and_again, settings_of

STALL_TIMEOUT_S = 10
"""The default of ``server.stall_timeout_s``."""


async def start_s(folder: Path) -> float:
    """Seconds until a server of one process is ready."""
    began = trio.current_time()
    async with server_process(database__url=f"sqlite:///{folder}/start.db"):
        return trio.current_time() - began


async def measure(folder: Path, kills: int) -> None:
    """Print the figures."""
    before_s = await start_s(folder)
    settings = settings_of(f"sqlite:///{folder}/presence.db")
    settings["server__stall_timeout_s"] = STALL_TIMEOUT_S
    async with server_process(**settings) as server, trio.open_nursery() as nursery:
        crowd = Crowd(server)
        await crowd.gather(nursery)
        nursery.start_soon(crowd.pass_by)
        killed = sorted(await kill_again_and_again(crowd, kills))
        stopped_s = await interrupt(crowd, 0, signal.SIGSTOP)
        nursery.cancel_scope.cancel()
    print(f"start of a server: {before_s:.2f} s before, {await start_s(folder):.2f} s after")
    print(
        f"all back after kill -9, {kills} times: median {statistics.median(killed):.2f} s,"
        f" worst {killed[-1]:.2f} s (aim 2)"
    )
    print(
        f"all back after SIGSTOP: {stopped_s:.2f} s (aim {STALL_TIMEOUT_S + 2},"
        f" server.stall_timeout_s {STALL_TIMEOUT_S})"
    )


def main() -> None:
    """Kill, stop, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trio.run(measure, Path(folder), options.kills)


if __name__ == "__main__":
    main()
