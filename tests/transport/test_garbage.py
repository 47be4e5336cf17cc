"""A connection that is gone leaves nothing for the garbage collector, which seldom comes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from presence_server.transport.wire.connection import Connection
from presence_server.transport.wire.pump import Pump, pump_is_available
from tests.transport.frames import close, frame, text
from tests.transport.gateway_kit import GatewayUnderTest, call, connect, join, listen

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def born(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[object]]:
    """Every connection, session and protocol made from now on."""
    references: list[weakref.ref[object]] = []
    make = Connection.__init__

    def remembered(self: Connection, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)  # type: ignore[arg-type]
        references.extend(map(weakref.ref, (self, self._handler, self._protocol)))

    monkeypatch.setattr(Connection, "__init__", remembered)
    return references


@pytest.mark.skipif(not pump_is_available(), reason="needs epoll")
@pytest.mark.parametrize(
    "last_words",
    [
        b"",
        close(1000),
        close(1001),
        text('{"type":"board:leave"}'),
        text("half", fin=False),
        b"\x81\xfe\x01",
        frame(3),  # type: ignore[arg-type]
    ],
)
async def test_in_the_pump(last_words: bytes, born: list[weakref.ref[object]]) -> None:
    kit = GatewayUnderTest(pump=Pump)
    with trio.fail_after(PATIENCE_S):
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            await call(kit, address, "eve")
            ada = await call(kit, address, "ada")
            if last_words:
                await ada.send(last_words)
            await ada.stream.aclose()
            while kit.gateway.connections > 1:  # noqa: ASYNC110 - it has no event for that
                await trio.sleep(0.001)
            await trio.testing.wait_all_tasks_blocked()
            assert [reference() is None for reference in born] == [False] * 3 + [True] * 3


async def test_that_was_denied(born: list[weakref.ref[object]]) -> None:
    from tests.transport.sessions.test_identity_modes import gateway_of_passes

    kit = gateway_of_passes()
    with trio.fail_after(PATIENCE_S):
        async with kit.open() as nursery:
            client = await connect(kit, nursery)
            await client.upgrade("/ws/boards/demo")
            await client.stream.aclose()
            while kit.gateway.connections:  # noqa: ASYNC110 - it has no event for that
                await trio.sleep(0.001)
            await trio.testing.wait_all_tasks_blocked()
            assert [reference() for reference in born] == [None] * 3


async def test_on_a_stream(born: list[weakref.ref[object]]) -> None:
    kit = GatewayUnderTest()
    with trio.fail_after(PATIENCE_S):
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await ada.say("board:leave")
            assert await ada.end() == 1000
            await ada.stream.aclose()
            while kit.gateway.connections:  # noqa: ASYNC110 - it has no event for that
                await trio.sleep(0.001)
            await trio.testing.wait_all_tasks_blocked()
            assert [reference() for reference in born] == [None] * 3
