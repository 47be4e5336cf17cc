"""A connection moves by the table of its stages, whatever happens to it."""

from __future__ import annotations

from collections.abc import Callable

import trio
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.errors import CloseCode
from presence_server.transport.wire.connection import Connection
from presence_server.transport.wire.ports import ConnectionAlarm
from presence_server.transport.wire.stage import NEXT_STAGES, Stage
from tests.transport.fake_wire import ConnectionUnderTest
from tests.transport.frames import close, text


class CheckedConnection(Connection):
    """Refuses every move that is not in the table."""

    moves: list[Stage]

    @property
    def stage(self) -> Stage:
        return self.moves[-1]

    @stage.setter
    def stage(self, stage: Stage) -> None:
        if not hasattr(self, "moves"):
            self.moves = [stage]
        elif stage is not self.stage:
            assert stage in NEXT_STAGES[self.stage], (self.stage, stage)
            self.moves.append(stage)


def slow(held: ConnectionUnderTest) -> None:
    held.wire.room = 3
    held.connection.write(b"\x81\x7e\x01\x00" + bytes(256))


def breaks(held: ConnectionUnderTest) -> None:
    held.wire.broken = True


def rings(alarm: ConnectionAlarm) -> Callable[[ConnectionUnderTest], None]:
    return lambda held: held.connection.on_alarm(alarm, trio.current_time())


STEPS: dict[str, Callable[[ConnectionUnderTest], None]] = {
    "read": lambda held: held.connection.receive(text("hello")),
    "write": lambda held: held.connection.write(b"\x81\x05hello"),
    "break": breaks,
    "close": lambda held: held.connection.close(CloseCode.KICKED),
    "peer closes": lambda held: held.connection.receive(close(1000)),
    "violation": lambda held: held.connection.receive(b"\x81\x01x"),
    "fail": lambda held: held.connection.fail(CloseCode.INVALID_UTF8),
    "slow": slow,
    "room": lambda held: held.wire.make_room(None),
    "end of input": lambda held: held.connection.receive_eof(),
    "linger ends": rings(ConnectionAlarm.CLOSE),
    "session told": rings(ConnectionAlarm.SLOW),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
async def test_any_events_move_a_connection_by_the_table_and_tell_the_session_once(
    names: list[str],
) -> None:
    held = ConnectionUnderTest(kind=CheckedConnection, outbox_bytes=100)
    held.wire.lets_go_at_once = False
    for name in names:
        if name != "linger ends" or held.connection.stage in (Stage.CLOSING, Stage.SHUT):
            STEPS[name](held)
    held.connection.on_gone()
    assert held.connection.stage is Stage.GONE
    ends = [word for word in held.handler.heard if isinstance(word, str) and "end" in word]
    assert len(ends) <= 1
    # A session that closes the connection itself hears of no end, unless one came before.
    assert ends or "close" in names
    assert held.handler.heard[-1] == "gone"
