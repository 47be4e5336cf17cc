"""Processes of a server that are killed or stopped: who comes back was never gone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from presence_server.cluster.slots import slot_of
from tests.server.process import server_process
from tests.server.process_crowd import (
    Crowd,
    interrupt,
    kill_again_and_again,
    settings_of,
    wait_until,
)
from tests.server.workers import children_of, is_alive, slots_of

pytestmark = pytest.mark.e2e

KILLS = 4
"""``make bench-process-faults`` kills twenty times, and tells how long it took each time."""


async def test_whoever_comes_back_after_a_kill_was_never_gone_and_the_others_notice_nothing(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/presence.db"
    async with server_process(**settings_of(url)) as server, trio.open_nursery() as nursery:
        crowd = Crowd(server)
        await crowd.gather(nursery)
        nursery.start_soon(crowd.pass_by)
        await kill_again_and_again(crowd, KILLS)
        nursery.cancel_scope.cancel()
    assert crowd.passed > KILLS


async def test_a_stopped_process_is_replaced_and_a_dead_supervisor_takes_all_with_it(
    tmp_path: Path,
) -> None:
    async with server_process(
        server__processes=2,
        server__stall_timeout_s=2,
        limits__ping_interval_s=3600,
        database__url=f"sqlite:///{tmp_path}/presence.db",
    ) as server:
        crowd = Crowd(server)
        crowd.regulars = [r for r in crowd.regulars if slot_of(r.board, 2) == slot_of(r.board, 4)]
        pid = slots_of(server)[0]
        async with trio.open_nursery() as nursery:
            await crowd.gather(nursery)
            await interrupt(crowd, 0, signal.SIGSTOP)
            nursery.cancel_scope.cancel()
        assert slots_of(server)[0] != pid
        (killed,) = [line for line in server.log if "shows no life and is killed" in line]
        assert '"child": "0"' in killed
        workers = children_of(server.pid)
        assert len(workers) == 2
        os.kill(server.pid, signal.SIGKILL)
        await wait_until(lambda: not any(map(is_alive, workers)))
