"""A board under random traffic, held against the protocol written a second time.

Hypothesis decides who does what and when; :mod:`.checked_world` compares the room
with :mod:`.reference` after every step.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from msgspec import UNSET

from presence_server.core.events import (
    Activity,
    ClockSet,
    Heard,
    HeartbeatReceived,
    Parted,
    Parting,
    ProfileChanged,
    RowCommitted,
    Tick,
    Updated,
)
from presence_server.protocol.model import BoardLimits, Cursor, Update
from presence_server.protocol.profile import ProfileChange
from tests.core.checked_world import CheckedWorld
from tests.core.world import AWAY, EPOCH_MS, IDLE, ONLINE, Wire
from tests.limits import board_limits

QUICK = settings.get_current_profile_name() == "quick"

USERS = ("ada", "bob", "cyd", "dee", "eve")
STATUSES = (UNSET, ONLINE, IDLE, AWAY)
CURSORS = (UNSET, None, Cursor(1.0, 2.0), Cursor(3.0, 4.0))
METADATA = (UNSET, None, b'{"tool":"pen"}')
CHANGES = (
    ProfileChange(display_name="Somebody"),
    ProfileChange(display_name="Somebody else", avatar_url="https://x.example/a.png"),
    ProfileChange(display_name=None, avatar_url=None, color="#010203"),
)
PARTINGS = (Parting.LEFT, Parting.PAGE_LEFT, Parting.DROPPED, Parting.DROPPED)
PAUSES = (0.0, 0.01, 0.1, 0.3, 1.0, 2.0, 5.0, 31.0, 61.0, 301.0)


def _pick(number: int, *choices: tuple[object, ...]) -> list[object]:
    """One of each, from one number: draws are what costs time here."""
    picked = []
    for options in choices:
        number, index = divmod(number, len(options))
        picked.append(options[index])
    return picked


def limits_from(number: int) -> BoardLimits:
    """Small boards with ordinary and with odd settings."""
    names = {
        "capacity": (1, 2, 1, 4),
        "queue_limit": (2, 3, 1, 0),
        "queue_enabled": (True, True, True, False),
        "timeout_s": (300.0, 20.0),
        "idle_after_s": (60.0, 3.0),
        "away_after_s": (180.0, 61.0),
        "leave_grace_s": (2.0, 0.0, 10.0),
        "reconnecting_after_s": (5.0, 0.0),
        "reclaim_after_s": (45.0, 1.0, 0.0),
        "queue_grace_s": (30.0, 1.5),
        "commit_wait_s": (0.25, 1.5),
        "cursor_interval_ms": (50.0, 700.0),
        "sessions_per_user": (100, 2, 1),
        "watch_limit": (1, 2, 0),
    }
    chosen = dict(zip(names, _pick(number, *names.values()), strict=True))
    return board_limits(**chosen)


class BoardMachine(RuleBasedStateMachine):
    """People come, work, drop, return and leave; the server stalls and restarts."""

    world: CheckedWorld

    @initialize(number=st.integers(0, 4 * 4 * 4 * 2**7 * 3 * 3 * 3 * 3 - 1))
    def open_board(self, number: int) -> None:
        self.world = CheckedWorld(limits_from(number), now=1000.0)

    def _wire(self, number: int) -> Wire | None:
        """One of the sockets, mostly an open one: a closed one may still be heard."""
        wires = list(self.world.wires.values())
        if number % 8:
            wires = [wire for wire in wires if wire.closed is None]
        return wires[(number // 8) % len(wires)] if wires else None

    @rule(number=st.integers(0, 2 * 5 * 8 - 1), who=st.integers(0, 31))
    def connect(self, number: int, who: int) -> None:
        watches, number = divmod(number, 5 * 8)
        user, way = divmod(number, 8)
        resume = None
        if way >= 5:
            wires = list(self.world.wires.values())
            resume = wires[-1 - who % len(wires)].session_id if wires else "unheard-of"
        # Now and then the server is full of something.
        self.world.connect(
            USERS[user],
            resume,
            may_begin=who < 30,
            may_queue=who % 16 < 14,
            watches=bool(watches),
        )

    @rule(who=st.integers(0, 63))
    def come_back(self, who: int) -> None:
        wires = [w for w in self.world.wires.values() if w.session_id]
        if wires:
            self.world.resume(wires[-1 - who % len(wires)])

    @rule(who=st.integers(0, 63), what=st.integers(0, 4 * 4 * 3 - 1))
    def update(self, who: int, what: int) -> None:
        wire = self._wire(who)
        if wire is not None:
            update = Update(*_pick(what or 1, STATUSES, CURSORS, METADATA))  # type: ignore[arg-type]
            self.world.apply(Updated(wire.number, wire.session_id, update))

    @rule(who=st.integers(0, 63), change=st.integers(0, len(CHANGES) - 1))
    def change_profile(self, who: int, change: int) -> None:
        wire = self._wire(who)
        if wire is not None:
            event = ProfileChanged(wire.number, wire.session_id, CHANGES[change])
            self.world.apply(event)

    @rule(who=st.integers(0, 63), kind=st.sampled_from((Heard, HeartbeatReceived, Activity)))
    def give_a_sign(
        self, who: int, kind: type[Heard] | type[HeartbeatReceived] | type[Activity]
    ) -> None:
        wire = self._wire(who)
        if wire is not None:
            self.world.apply(kind(wire.number, wire.session_id))

    @rule(who=st.integers(0, 63), how=st.integers(0, 3))
    def part(self, who: int, how: int) -> None:
        wire = self._wire(who)
        if wire is not None:
            if wire.closed is None:
                wire.closed = 0
            self.world.apply(Parted(wire.number, wire.session_id, PARTINGS[how]))

    @rule(number=st.integers(0, 7))
    def commit(self, number: int) -> None:
        pending = self.world.uncommitted
        if number == 0:
            while pending:
                self.world.apply(RowCommitted(pending.pop(0)))
        elif pending:
            self.world.apply(RowCommitted(pending.pop(number % len(pending))))

    @rule()
    def admit(self) -> None:
        self.world.admit_next()

    @rule(number=st.integers(0, 2 * len(PAUSES) - 1))
    def wait(self, number: int) -> None:
        late, pause = divmod(number, len(PAUSES))
        if late:
            # The watchdog was held up: everything else may come first.
            self.world.now += PAUSES[pause]
        else:
            self.world.wait(PAUSES[pause])

    @rule(count=st.integers(1, 3))
    def wait_for_deadline(self, count: int) -> None:
        for _ in range(count):
            at = self.world.next_deadline()
            if at < math.inf:
                self.world.wait_until(at)

    @rule(number=st.integers(0, 31))
    def something_rare(self, number: int) -> None:
        if number < 5:
            self.world.kick(USERS[number])
        elif number < 8:
            # Between two processes: up to half a second of changes may be lost.
            self.world.wait(1.0)
            self.world.restart(limits_from(number - 5) if number < 7 else None)
        elif number == 11:
            self.world.restart(store_is_up=False)
        elif number < 16 and self.world.dormant:
            self.world.store_comes_back()
        elif number == 8:
            self.world.apply(ClockSet(EPOCH_MS + 1))
            self.world.apply(ClockSet(EPOCH_MS))
        elif number == 9:
            self.world.apply(Tick())
        elif number == 10:
            self.world.apply(RowCommitted("unheard-of"))

    def teardown(self) -> None:
        """Everybody falls silent: nothing may be left, and the log must replay."""
        world = self.world
        if not world.is_sound:
            return
        steps = 0
        if world.dormant:
            world.store_comes_back()
        while world.next_deadline() < math.inf or world.seat_free:
            world.wait_until(min(world.next_deadline(), world.now + 10_000))
            if world.seat_free:
                world.admit_next()
            steps += 1
            assert steps < 1000, "the room never comes to rest"
        assert world.room.is_empty
        assert not world.open_rows()
        assert world.published == ()
        assert not world.members
        assert not world.spectators
        world.replay()


@pytest.fixture
def untraced() -> Iterator[None]:
    """No coverage in here: it would take three times as long, and the stories cover it all."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


@pytest.mark.usefixtures("untraced")
def test_the_room_does_what_the_protocol_says_whatever_happens() -> None:
    run_state_machine_as_test(
        BoardMachine,
        settings=settings(
            max_examples=200 if QUICK else 2000,
            stateful_step_count=50,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
