"""When rooms are flushed: with the input that caused it, soon, or when it is quiet."""

from __future__ import annotations

import trio
import trio.testing

from presence_server.rooms.batch import MAX_PATIENCE_S, Batch

Clock = trio.testing.MockClock


class Room:
    """Counts its flushes."""

    def __init__(self) -> None:
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1


async def turns(count: int) -> None:
    for _ in range(count):
        await trio.lowlevel.checkpoint()


def test_a_batch_flushes_once_at_the_end_of_the_outermost() -> None:
    batch, room = Batch(lambda: None), Room()
    with batch:
        with batch:
            batch.flush_later(room)
            batch.flush_when_quiet(room)
        assert room.flushes == 0
        batch.flush_later(room)
    assert room.flushes == 1


def test_frames_that_a_flush_causes_are_flushed_with_it() -> None:
    batch, last = Batch(lambda: None), Room()

    class First(Room):
        def flush(self) -> None:
            super().flush()
            batch.flush_later(last)

    with batch:
        batch.flush_later(First())
    assert last.flushes == 1


async def test_outside_of_a_batch_it_is_flushed_soon_and_once(nursery: trio.Nursery) -> None:
    batch, room = Batch(lambda: None), Room()
    nursery.start_soon(batch.run)
    batch.flush_later(room)
    batch.flush_later(room)
    assert room.flushes == 0
    await trio.testing.wait_all_tasks_blocked()
    assert room.flushes == 1


async def test_on_an_idle_server_a_patient_room_is_flushed_at_once(
    nursery: trio.Nursery, mock_clock: Clock
) -> None:
    batch, room = Batch(lambda: None), Room()
    nursery.start_soon(batch.run)
    batch.flush_when_quiet(room)
    await trio.testing.wait_all_tasks_blocked()
    assert room.flushes == 1
    assert trio.current_time() == mock_clock.current_time()


async def test_on_a_busy_server_it_gathers_as_long_as_it_may(
    nursery: trio.Nursery, mock_clock: Clock
) -> None:
    batch, rooms = Batch(lambda: None), [Room(), Room()]
    nursery.start_soon(batch.run)

    async def keep_busy() -> None:
        while True:
            with batch:
                pass
            await trio.lowlevel.checkpoint()

    nursery.start_soon(keep_busy)
    for _ in range(10):
        batch.flush_when_quiet(rooms[0])
        batch.flush_when_quiet(rooms[1])
        await turns(5)
    assert [room.flushes for room in rooms] == [0, 0]
    mock_clock.jump(MAX_PATIENCE_S)
    await turns(5)
    assert [room.flushes for room in rooms] == [1, 1]


async def test_the_next_frames_of_a_room_take_its_patient_frames_along(
    nursery: trio.Nursery,
) -> None:
    batch, room = Batch(lambda: None), Room()
    nursery.start_soon(batch.run)
    batch.flush_when_quiet(room)
    with batch:
        batch.flush_later(room)
    assert room.flushes == 1
