"""One heap and one task ring for every connection."""

from __future__ import annotations

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.rooms.batch import Batch
from presence_server.stalls import StallWatch
from presence_server.transport.wire.deadlines import Deadlines
from presence_server.transport.wire.ports import ConnectionAlarm


class Bell:
    """Remembers when it was rung, on the clock of the test."""

    def __init__(self) -> None:
        self.rung: list[tuple[ConnectionAlarm, float]] = []
        self.fails = self.fails_again = False
        self.crashed: list[Exception] = []

    def crash(self, error: Exception) -> None:
        self.crashed.append(error)
        if self.fails_again:
            raise error

    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        self.rung.append((alarm, now))
        if self.fails:
            raise RuntimeError("a bug in a connection")


class Flushed:
    def __init__(self) -> None:
        self.times: list[float] = []

    def flush(self) -> None:
        self.times.append(trio.current_time())


async def test_rings_at_the_time_and_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, bell = Deadlines(Batch(lambda: None), StallWatch()), Bell()
    nursery.start_soon(deadlines.run)
    deadlines.arm(bell, ConnectionAlarm.WRITE, 5)
    await trio.sleep(20)
    assert bell.rung == [(ConnectionAlarm.WRITE, 5)]


async def test_an_earlier_alarm_stands_and_a_later_one_is_no_delay(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, bell = Deadlines(Batch(lambda: None), StallWatch()), Bell()
    nursery.start_soon(deadlines.run)
    await trio.sleep(1)
    deadlines.arm(bell, ConnectionAlarm.WRITE, 9)
    deadlines.arm(bell, ConnectionAlarm.WRITE, 3)
    deadlines.arm(bell, ConnectionAlarm.WRITE, 6)
    await trio.sleep(20)
    assert bell.rung == [(ConnectionAlarm.WRITE, 3)]


async def test_alarms_of_one_connection_are_independent(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, bell = Deadlines(Batch(lambda: None), StallWatch()), Bell()
    nursery.start_soon(deadlines.run)
    deadlines.arm(bell, ConnectionAlarm.CLOSE, 2)
    deadlines.arm(bell, ConnectionAlarm.KEEPALIVE, 1)
    await trio.sleep(20)
    assert bell.rung == [(ConnectionAlarm.KEEPALIVE, 1), (ConnectionAlarm.CLOSE, 2)]


async def test_a_connection_that_is_gone_is_not_rung(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, gone, other = Deadlines(Batch(lambda: None), StallWatch()), Bell(), Bell()
    nursery.start_soon(deadlines.run)
    for alarm in ConnectionAlarm:
        deadlines.arm(gone, alarm, 1)
    deadlines.arm(other, ConnectionAlarm.CLOSE, 1)
    deadlines.disarm(gone)
    await trio.sleep(20)
    assert (gone.rung, len(other.rung)) == ([], 1)


@pytest.mark.parametrize("fails_again", [False, True])
async def test_a_bug_in_one_connection_ends_that_one_and_does_not_stop_the_clock(
    fails_again: bool, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, broken, other = Deadlines(Batch(lambda: None), StallWatch()), Bell(), Bell()
    broken.fails, broken.fails_again = True, fails_again
    nursery.start_soon(deadlines.run)
    deadlines.arm(broken, ConnectionAlarm.CLOSE, 1)
    deadlines.arm(other, ConnectionAlarm.CLOSE, 1)
    with structlog.testing.capture_logs() as logs:
        await trio.sleep(2)
    events = ["deadline handler failed", "deadline handler failed twice"]
    assert [entry["event"] for entry in logs] == events[: 1 + fails_again]
    assert [str(error) for error in broken.crashed] == ["a bug in a connection"]
    assert (len(other.rung), other.crashed) == (1, [])


async def test_what_rings_together_flushes_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    batch, room = Batch(lambda: None), Flushed()
    deadlines = Deadlines(batch, StallWatch())

    class Talks(Bell):
        def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
            batch.flush_later(room)

    nursery.start_soon(deadlines.run)
    for _ in range(10):
        deadlines.arm(Talks(), ConnectionAlarm.WRITE, 1)
    await trio.sleep(2)
    assert room.times == [1]


async def test_a_stall_of_the_event_loop_moves_every_alarm_but_the_end_of_a_token(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    stalls = StallWatch()
    deadlines, bell = Deadlines(Batch(lambda: None), stalls), Bell()
    nursery.start_soon(stalls.run)
    nursery.start_soon(deadlines.run)
    deadlines.arm(bell, ConnectionAlarm.WRITE, 10)
    deadlines.arm(bell, ConnectionAlarm.TOKEN, 20)
    deadlines.arm(bell, ConnectionAlarm.HANDSHAKE, 30)
    await trio.sleep(1.1)
    autojump_clock.jump(60)
    await trio.sleep(100)
    alarms = ConnectionAlarm
    assert [alarm for alarm, _ in bell.rung] == [alarms.TOKEN, alarms.WRITE, alarms.HANDSHAKE]
    times = [at for _, at in bell.rung]
    assert times == [pytest.approx(61.1), pytest.approx(70, abs=0.5), pytest.approx(90, abs=0.5)]


async def test_of_thousands_at_once_other_tasks_have_their_turns_between(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    order: list[str] = []

    class Slow(Bell):
        def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
            order.append("alarm")
            mock_clock.jump(0.0007)

    async def go_on() -> None:
        while order.count("alarm") < 30:
            order.append("turn")
            await trio.lowlevel.checkpoint()

    deadlines = Deadlines(Batch(lambda: None), StallWatch())
    bells = [Slow() for _ in range(30)]
    for bell in bells:
        deadlines.arm(bell, ConnectionAlarm.HANDSHAKE, 5)
    mock_clock.jump(5)
    nursery.start_soon(deadlines.run)
    nursery.start_soon(go_on)
    while order.count("alarm") < 30:
        await trio.lowlevel.checkpoint()
    rung = "".join(word[0] for word in order).split("t")
    # Three fill a slice. Trio shuffles each turn, so two slices may follow each other.
    assert max(map(len, rung)) <= 6
    assert deadlines.alarms == 0
