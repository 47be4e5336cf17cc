from __future__ import annotations

import trio
import trio.testing

from presence_server.rooms.turns import SLICE_S, Turns


async def test_few_tasks_have_their_turn_at_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    turns = Turns()
    nursery.start_soon(turns.run)
    for _ in range(3):
        with trio.testing.assert_no_checkpoints():
            await turns.take()
            await turns.take()
        await trio.testing.wait_all_tasks_blocked()


async def test_many_tasks_act_one_after_another_and_others_run_between_them(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    turns = Turns()
    happened: list[str] = []

    async def act(name: str) -> None:
        await turns.take()
        happened.append(name)
        mock_clock.jump(SLICE_S)  # It works for so long.

    async def beat() -> None:
        while len(happened) < 100:
            happened.append(".")
            await trio.lowlevel.checkpoint()

    nursery.start_soon(turns.run)
    await trio.testing.wait_all_tasks_blocked()
    for number in range(5):
        nursery.start_soon(act, str(number))
    nursery.start_soon(beat)
    await trio.testing.wait_all_tasks_blocked()
    together = [names for names in "".join(happened).split(".") if names]
    assert sorted("".join(together)) == ["0", "1", "2", "3", "4"]
    # Trio shuffles the tasks of a pass: one may be the last of its pass, and another the first.
    assert max(map(len, together)) <= 2


async def test_a_task_that_is_cancelled_takes_no_turn(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    turns = Turns()
    await turns.take()
    mock_clock.jump(SLICE_S)
    with trio.move_on_after(0):
        await turns.take()
    done = trio.Event()

    async def act() -> None:
        await turns.take()
        done.set()

    nursery.start_soon(act)
    await trio.testing.wait_all_tasks_blocked()
    assert not done.is_set()
    nursery.start_soon(turns.run)
    await trio.testing.wait_all_tasks_blocked()
    assert done.is_set()
