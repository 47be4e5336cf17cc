"""The request of a connection over a stream."""

from __future__ import annotations

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.stalls import StallWatch
from presence_server.transport.gate.stream_request import read_request
from tests.transport.gateway_kit import GatewayUnderTest


def stream_that_raises(error: Exception) -> trio.StapledStream[trio.abc.SendStream, Raises]:
    ours, _ = trio.testing.memory_stream_pair()
    return trio.StapledStream(ours.send_stream, Raises(error))


class Raises(trio.abc.ReceiveStream):
    """A stream that breaks when it is read, as TLS does after a bad first message."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        raise self._error

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("error", [trio.BrokenResourceError(), trio.ClosedResourceError()])
async def test_a_stream_that_breaks_has_no_request(
    autojump_clock: trio.testing.MockClock, error: Exception
) -> None:
    assert await read_request(stream_that_raises(error), 10, StallWatch()) is None


async def test_a_stream_that_breaks_is_closed_without_a_line_in_the_log(
    autojump_clock: trio.testing.MockClock,
) -> None:
    kit = GatewayUnderTest()
    async with kit.open():
        with structlog.testing.capture_logs() as lines:
            await kit.serve_stream(stream_that_raises(trio.BrokenResourceError()))
        assert lines == []
        await kit.gateway.wait_until_answered()
