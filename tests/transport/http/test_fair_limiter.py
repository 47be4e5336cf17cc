"""The fair limiter: first come, first served, and each address within its share."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from presence_server.transport.http.fair_limiter import FairLimiter

Clock = trio.testing.MockClock


class Asker:
    """Somebody who wants a turn for a while, and what became of that."""

    def __init__(self, limiter: FairLimiter, address: str, holds_s: float = 10) -> None:
        self._turns = limiter
        self._address = address
        self._holds_s = holds_s
        self.hurried_at: float | None = None
        self.began_at: float | None = None
        self.gave_up = False

    def hurry(self) -> None:
        self.hurried_at = trio.current_time()

    async def ask(self) -> None:
        try:
            async with self._turns.place(self._address, self, 15):
                self.began_at = trio.current_time()
                await trio.sleep(self._holds_s)
        except trio.TooSlowError:
            self.gave_up = True


async def test_are_taken_in_order_and_given_back(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    limiter = FairLimiter(2, 2)
    askers = [Asker(limiter, str(number)) for number in range(4)]
    for asker in askers:
        nursery.start_soon(asker.ask)
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(30)
    assert [asker.began_at for asker in askers] == [0, 0, 10, 10]
    assert len(limiter) == 0


async def test_one_address_has_its_share_and_waits_for_itself(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    limiter = FairLimiter(10, 2)
    crowd = [Asker(limiter, "crowd") for _ in range(3)]
    other = Asker(limiter, "other")
    for asker in [*crowd, other]:
        nursery.start_soon(asker.ask)
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(30)
    assert [asker.began_at for asker in crowd] == [0, 0, 10]
    assert other.began_at == 0
    assert [asker.hurried_at for asker in crowd[:2]] == [0, 0]
    assert other.hurried_at is None


async def test_who_gets_a_turn_while_others_wait_is_told_so(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    limiter = FairLimiter(1, 1)
    first, second, third = (Asker(limiter, name, holds_s=5) for name in ("a", "b", "c"))
    for asker in (first, second, third):
        nursery.start_soon(asker.ask)
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(30)
    assert (first.hurried_at, second.hurried_at, third.hurried_at) == (0, 5, None)


async def test_that_come_too_late_are_given_up_and_nothing_is_left_of_them(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    limiter = FairLimiter(1, 1)
    long, late = Asker(limiter, "a", holds_s=100), Asker(limiter, "b")
    nursery.start_soon(long.ask)
    await trio.testing.wait_all_tasks_blocked()
    await late.ask()
    assert late.gave_up
    assert trio.current_time() == 15
    assert len(limiter) == 1


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_are_free_again_after_being_cancelled_at_any_time(
    count: int, autojump_clock: Clock
) -> None:
    limiter = FairLimiter(1, 1)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(Asker(limiter, "a").ask)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(limiter) == 0
    asker = Asker(limiter, "a")
    await asker.ask()
    assert asker.began_at == 0
