"""A server that waits answers at its port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import cast

import pytest
import trio
import trio.testing

from presence_server.server.listening import Port
from presence_server.server.standby import Standby
from tests.server.kit import PATIENCE_S


class FakePort:
    """A port to which nobody connects: the test hands streams over itself."""

    tls = None

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)

    def duplicates(self) -> list[socket.socket]:
        return [self.socket]


@pytest.fixture
def port() -> Iterator[FakePort]:
    port = FakePort()
    yield port
    port.socket.close()


@pytest.mark.parametrize(("late_s", "answered"), [(0.0, False), (60.0, True)])
async def test_a_head_that_came_while_the_server_stood_still_is_answered(
    mock_clock: trio.testing.MockClock,
    late_s: float,
    answered: bool,
    nursery: trio.Nursery,
    port: FakePort,
) -> None:
    standby = Standby(cast("Port", port), 10)
    nursery.start_soon(standby.run)
    client, server = trio.testing.memory_stream_pair()
    nursery.start_soon(standby._serve, server)
    await trio.testing.wait_all_tasks_blocked()
    if late_s:
        mock_clock.jump(late_s)  # Nothing has run meanwhile.
    else:
        for _ in range(21):
            mock_clock.jump(0.5)
            await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(PATIENCE_S):
        await client.send_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await client.receive_some()
    assert answer.startswith(b"HTTP/1.1 200") is answered
