"""A crash finds no more open users in the store than the board has seats.

A real room and the real bookkeeping of writes, with a store that writes whenever the example says
so, as much as it says, or fails. After each write the server may be killed.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from presence_server.core.effects import CloseRow, Effect, InsertRow, SaveHeartbeats, SaveRows
from presence_server.core.events import Restore, RowCommitted
from presence_server.core.room import Room
from presence_server.presence.pending import PendingWrites
from presence_server.presence.session_writes import to_batch
from presence_server.protocol.model import PresenceRecord
from tests.core.world import BOARD, EPOCH_MS, Wire, World
from tests.limits import board_limits

CAPACITY = 2
USERS = ("ada", "bob", "cyd", "dee")


class WorldWithStore(World):
    """A board whose rows become durable one write at a time."""

    def __init__(self) -> None:
        super().__init__(board_limits(capacity=CAPACITY, sessions_per_user=2), auto=False)
        self.pending = PendingWrites()
        self.durable: dict[str, PresenceRecord] = {}

    def _store(self, effect: Effect) -> None:
        super()._store(effect)
        match effect:
            case InsertRow(record, profile):
                committed = RowCommitted(record.session_id)
                self.pending.join(record, profile, lambda: self.commits(committed))
            case SaveRows(records):
                for record in records:
                    self.pending.update(record)
            case SaveHeartbeats(board_id, beats):
                for session_id, at_ms in beats:
                    self.pending.heartbeat((board_id, session_id), at_ms)
            case CloseRow(board_id, session_id, at_ms):
                self.pending.disconnect((board_id, session_id), at_ms)

    def commits(self, event: RowCommitted) -> None:
        """The room hears of a row that is durable."""
        self.apply(event)

    def write(self, limit: int, *, changes: bool, succeeds: bool) -> None:
        """One transaction, as the writer of the presence service does it."""
        entries = self.pending.take(limit, changes=changes)
        if not succeeds:
            self.pending.failed(entries)
            return
        batch = to_batch(entries)
        for closing in batch.closings:
            self._set(closing.session_id, disconnected_at=closing.at_ms)
        self.durable.update((record.session_id, record) for record in batch.inserts)
        for record in batch.updates:
            if record.session_id in self.durable:
                self._set(record.session_id, status=record.status, cursor=record.cursor)
        self.pending.written()
        for entry in entries:
            for on_committed in entry.on_committed:
                on_committed()

    def _set(self, session_id: str, **fields: object) -> None:
        if session_id in self.durable:
            self.durable[session_id] = replace(self.durable[session_id], **fields)

    def open_in_store(self) -> list[PresenceRecord]:
        """The rows from which the next start would recover."""
        return [row for row in self.durable.values() if row.disconnected_at is None]

    def check(self) -> None:
        """Kill the server here: the store has seats for all, and all of them come back."""
        rows = self.open_in_store()
        assert len({row.user_id for row in rows}) <= CAPACITY
        started = Room(BOARD, self.limits, EPOCH_MS)
        restore = Restore(tuple((row, self.profiles[row.user_id]) for row in rows))
        closed = [e for e in started.handle(restore, self.now) if isinstance(e, CloseRow)]
        assert closed == []


def open_wires(world: World) -> list[Wire]:
    return [wire for wire in world.wires.values() if wire.closed is None]


steps = st.tuples(
    st.sampled_from(("connect", "connect", "leave", "drop", "reload", "kick", "wait", "write")),
    st.integers(0, 3),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(steps, max_size=40))
def test_at_every_moment_the_store_has_no_more_open_users_than_seats(
    story: list[tuple[str, int, int, bool, bool]],
) -> None:
    world = WorldWithStore()
    for step, number, limit, changes, succeeds in story:
        wires = open_wires(world)
        wire = wires[number % len(wires)] if wires else None
        if step == "connect":
            world.connect(USERS[number])
        elif step == "kick":
            world.kick(USERS[number])
        elif step == "wait":
            world.wait((0.3, 1.0, 5.0, 50.0)[number])
        elif step == "write":
            world.write(limit, changes=changes, succeeds=succeeds)
        elif wire is not None:
            {"leave": world.leave, "drop": world.drop, "reload": world.close_page}[step](wire)
        while world.seat_free:
            world.admit_next()
        world.check()


def test_the_seat_of_one_who_left_is_free_in_the_store_before_another_has_it() -> None:
    world = WorldWithStore()
    ada, _, cyd = (world.connect(user) for user in ("ada", "bob", "cyd"))
    world.write(10, changes=True, succeeds=True)
    world.leave(ada)
    world.admit_next()
    # The smallest write that lets the newcomer join, and then the power fails.
    while not cyd.has_joined():
        world.write(1, changes=False, succeeds=True)
        world.check()
    assert {row.user_id for row in world.open_in_store()} == {"bob", "cyd"}
