"""The message budget is the session's: a resume does not renew it, and has a price."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.core.yjs.wire import change
from presence_server.protocol.budget import MessageBudget
from presence_server.transport.gate.upgrade import accept, read_handshake
from presence_server.transport.http.head import parse_head
from presence_server.transport.sessions.identity import AccessDenied
from presence_server.transport.sessions.session_budgets import RESUME_COST, SessionBudgets
from tests.core.documents.kit import typed
from tests.fake_documents import FakeDocuments
from tests.limits import yjs_limits
from tests.transport.fake_wire import FakeWire
from tests.transport.frames import Seen, event, frame, read_frames, upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest
from tests.transport.sessions.test_connections import accepted

Clock = trio.testing.MockClock


def frames(wire: FakeWire) -> list[Seen]:
    return read_frames(bytes(wire.sent).partition(b"\r\n\r\n")[2])


def events(wire: FakeWire, kind: str) -> list[dict[str, object]]:
    texts = [seen.event for seen in frames(wire) if seen.opcode is Opcode.TEXT]
    return [found for found in texts if found["type"] == kind]


def serve(kit: GatewayUnderTest, session_id: str | None, rest: bytes = b"") -> FakeWire:
    wire = FakeWire()
    user = "ada" if session_id is None else f"ada&session_id={session_id}"
    kit.connections.serve(accepted(user, rest), wire, None, lambda: None)
    return wire


async def joined(kit: GatewayUnderTest) -> str:
    wire = serve(kit, None)
    await trio.testing.wait_all_tasks_blocked()
    return str(events(wire, "board:joined")[0]["session_id"])


async def test_many_resumes_with_messages_behind_their_heads_get_one_budget(
    autojump_clock: Clock,
) -> None:
    kit = GatewayUnderTest(messages_per_s=50, burst=100)
    async with kit.open():
        session_id = await joined(kit)
        wires = [serve(kit, session_id, event("heartbeat") * 99) for _ in range(20)]
        assert sum(len(events(wire, "heartbeat:ack")) for wire in wires) == 100 - RESUME_COST


async def test_a_resume_too_many_is_refused_and_the_session_stays(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest(messages_per_s=50, burst=100)
    async with kit.open():
        session_id = await joined(kit)
        wires = [serve(kit, session_id) for _ in range(11)]
        assert [len(events(wire, "board:joined")) for wire in wires] == [1] * 10 + [0]
        (error,) = events(wires[-1], "error")
        assert (error["code"], error["retry_after_ms"]) == ("RATE_LIMITED", 201)
        close = frames(wires[-1])[-1].close
        assert (close.code, close.reason) == (4429, '{"retry_after_ms": 201}')
        assert frames(wires[-2])[-1].opcode is Opcode.TEXT, "the last that resumed is still there"
        await trio.sleep(0.3)
        (snapshot,) = events(serve(kit, session_id), "board:joined")
        assert snapshot["resumed"] is True


async def test_new_sessions_share_nothing(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest(messages_per_s=50, burst=100)
    async with kit.open():
        wires = [serve(kit, None, event("heartbeat") * 100) for _ in range(3)]
        assert [len(events(wire, "heartbeat:ack")) for wire in wires] == [100] * 3


async def serve_binary(kit: GatewayUnderTest, path: str, first_clock: int) -> FakeWire:
    """Connect with 60 changes of a document behind the head, and drop the connection."""
    wire = FakeWire()
    changes = [change(typed(1, first_clock + number)) for number in range(60)]
    rest = b"".join(frame(Opcode.BINARY, message) for message in changes)
    head = parse_head(upgrade_request(path))
    request = accept(read_handshake(head, frozenset(), has_yjs=True), 65536, rest)
    kit.connections.serve(request, wire, None, lambda: None)
    await trio.testing.wait_all_tasks_blocked()
    wire.endpoint.receive_eof()
    return wire


async def test_connections_that_take_a_yjs_session_over_share_its_budget(
    autojump_clock: Clock,
) -> None:
    limits = yjs_limits(binary_per_s=10, binary_burst=50)
    kit = GatewayUnderTest(documents=FakeDocuments(), yjs=limits)
    async with kit.open():
        path = "/yjs/demo?user_id=ada"
        wires = [await serve_binary(kit, path, 60 * number) for number in range(10)]
        codes = [seen.close.code for w in wires for seen in frames(w) if seen.opcode == 8]
        assert codes == [1013] * 8, "the second was read, and more than the longest pause is owed"
        await trio.sleep(60)
        wire = await serve_binary(kit, path, 120)
        assert not [seen for seen in frames(wire) if seen.opcode == 8]


async def test_a_resumed_session_goes_on_with_its_binary_budget(autojump_clock: Clock) -> None:
    limits = yjs_limits(binary_per_s=10, binary_burst=50)
    kit = GatewayUnderTest(documents=FakeDocuments(), yjs=limits)
    async with kit.open():
        session_id = await joined(kit)
        path = f"/ws/boards/demo?user_id=ada&session_id={session_id}"
        wires = [await serve_binary(kit, path, 60 * number) for number in range(5)]
        closes = [[seen.close.code for seen in frames(w) if seen.opcode == 8] for w in wires]
        assert closes == [[], [4429], [4429], [4429], [4429]]


class TestBudgets:
    def test_are_forgotten_once_they_are_full_again(self) -> None:
        budgets = SessionBudgets(50, 100)
        for number in range(100):
            budget = budgets.open(None, number)
            budgets.keep(str(number), budget)
            budgets.release(str(number), budget, number)
        assert len(budgets) < 15

    def test_are_kept_while_one_of_two_connections_uses_them(self) -> None:
        budgets = SessionBudgets(50, 100)
        first = budgets.open(None, 0)
        budgets.keep("ada", first)
        second = budgets.open("ada", 0)
        budgets.keep("ada", second)
        budgets.release("ada", first, 1)
        budgets.open(None, 1000)
        assert first is second is budgets.open("ada", 1000)

    def test_smaller_than_the_price_of_a_resume_allow_one(self) -> None:
        budgets = SessionBudgets(1, 5)
        budgets.keep("ada", budgets.open(None, 0))
        budgets.open("ada", 0)
        with pytest.raises(AccessDenied):
            budgets.open("ada", 1)
        budgets.open("ada", 5)

    def test_of_a_session_that_nobody_knows_are_new(self) -> None:
        budgets = SessionBudgets(50, 100)
        assert isinstance(budgets.open("made up", 0), MessageBudget)
        assert len(budgets) == 0
