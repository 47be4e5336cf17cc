"""The numbers of Yjs documents, as an operator reads them from ``/metrics``."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from presence_server.core.yjs import wire
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from tests.core.yjs.updates import text, update
from tests.server.process import ServerProcess, server_process
from tests.server.raw import ask, plain
from tests.yjs.raw import RawYjs
from tests.yjs.stock import PATIENCE_S
from tests.yjs.storm import helpers_of

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]


async def numbers_of(server: ServerProcess) -> dict[str, float]:
    """Those of documents, without ``presence_document`` in front."""
    page = (await ask(server.address, plain("GET /metrics HTTP/1.1"))).body.decode()
    lines = [line.split() for line in page.splitlines() if not line.startswith("#")]
    prefix = "presence_document"
    return {name[len(prefix) :]: float(n) for name, n in lines if name.startswith(prefix)}


async def test_changes_refusals_flushes_and_a_killed_helper_are_counted(tmp_path: Path) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/presence.db") as server:
        before = await numbers_of(server)
        assert before["s"] == before["_updates_total"] == before["_stored_seconds_count"] == 0
        page = await RawYjs.open(server.address, "b", {"user_id": "ada"}, path="/ws/boards")
        async with page:
            await page.send(wire.step_1(EMPTY_VECTOR))
            await page.heard(MessageKind.STEP_2)
            await page.send(wire.change(update((1, 0, [text("a", parent="text")]))))
            # The service finds out that the second one has a hole before it.
            await page.send(wire.step_2(update((1, 5, [text("b", left=(1, 4))]))))
            await page.heard_stored(2)
            numbers = await numbers_of(server)
            assert numbers["s"] == 1
            assert numbers["_updates_total"] == 2
            assert numbers["_updates_refused_total"] == 1
            assert numbers["_helper_restarts_total"] == 0
            assert numbers["_stored_seconds_count"] == 1
            assert 0 < numbers["_stored_seconds_sum"] < PATIENCE_S
            for helper in helpers_of(server):
                os.kill(helper, signal.SIGKILL)
            await page.send(wire.change(update((1, 1, [text("c", left=(1, 0))]))))
            await page.heard_stored(3)
            with trio.fail_after(PATIENCE_S):
                while not (await numbers_of(server))["_helper_restarts_total"]:  # noqa: ASYNC110
                    await trio.sleep(0.1)
            await page.leave()
        with trio.fail_after(PATIENCE_S):
            while (await numbers_of(server))["s"]:  # noqa: ASYNC110 - another process
                await trio.sleep(0.1)
