"""What tests of the transport share."""

from __future__ import annotations

import pytest
import trio

from presence_server.rooms.batch import Batch
from presence_server.stalls import StallWatch
from presence_server.transport.wire.deadlines import Deadlines


@pytest.fixture
async def deadlines(nursery: trio.Nursery) -> Deadlines:
    clock = Deadlines(Batch(lambda: None), StallWatch())
    nursery.start_soon(clock.run)
    return clock
