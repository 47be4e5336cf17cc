"""The load generator against a real server."""

from __future__ import annotations

from pathlib import Path

import trio

from presence_server.cli.load import Plan, Tally, generate
from tests.server.kit import PATIENCE_S, running_server


async def test_everybody_joins_moves_and_is_seen(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address:
        with trio.fail_after(PATIENCE_S):
            tally = Tally()
            await generate(Plan(address.url, 6, 2, 0.5, 20, "crowd", "run"), tally)
        assert (tally.joined, tally.queued, tally.failures) == (6, 0, {})
        assert tally.moves >= 6
        assert tally.seen_seconds
