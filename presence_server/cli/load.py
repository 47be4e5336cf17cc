"""``presence-server load``: a bounded load generator."""

from __future__ import annotations

import math
import secrets
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import trio

from ..protocol.messages import PresenceCursors
from ..settings import is_loopback
from .interruption import run_until_signal
from .options import config_option
from .watch import local_url

if TYPE_CHECKING:
    from ..client import PresenceClient

CONNECTING_AT_ONCE = 50
WIDTH, HEIGHT = 1600, 900
"""The canvas of the demo board."""


class Plan(msgspec.Struct, frozen=True):
    """The plan of a run.

    Attributes:
        server: the address.
        users: how many, spread over the boards.
        boards: how many boards.
        seconds: how long.
        rate: cursor moves of each user, per second.
        board: the name of the one board, or the prefix of several.
        run: part of each user id; it keeps user ids unique between runs.
    """

    server: str
    users: int
    boards: int
    seconds: float
    rate: float
    board: str
    run: str

    def board_of(self, number: int) -> str:
        """The board of the user with this number."""
        return self.board if self.boards == 1 else f"{self.board}-{number % self.boards + 1}"


class Tally(msgspec.Struct):
    """The results of a run, counted while it goes on."""

    joined: int = 0
    queued: int = 0
    failed: int = 0
    moves: int = 0
    events: int = 0
    seconds: float = 0.0
    join_seconds: list[float] = []
    seen_seconds: list[float] = []
    failures: dict[str, int] = {}


class Walk:
    """The path of one user's cursor over the canvas, with the time of each position."""

    __slots__ = ("_sent", "_step", "_turn")

    def __init__(self, number: int) -> None:
        self._turn = number * 2.399963  # The golden angle keeps any number of them apart.
        self._step = 0
        self._sent: deque[tuple[tuple[float, float], float]] = deque(maxlen=64)

    def next(self, now: float) -> tuple[float, float]:
        """The next position, sent at ``now``."""
        self._step += 1
        angle = self._turn + self._step / 20
        # No two steps of a walk are equal, so each position identifies its step.
        place = (
            round(WIDTH * (0.5 + 0.45 * math.sin(angle)), 3),
            round(HEIGHT * (0.5 + 0.45 * math.sin(angle * math.sqrt(2) + self._turn)), 3),
        )
        self._sent.append((place, now))
        return place

    def sent_at(self, place: tuple[float, float]) -> float | None:
        """The time a position was sent; None if it is too long ago."""
        return next((at for sent, at in reversed(self._sent) if sent == place), None)


@click.command()
@click.option("--server", metavar="URL", help="Default: the server of the settings.")
@click.option("--users", type=click.IntRange(1, 2000), default=50, show_default=True)
@click.option("--boards", type=click.IntRange(1, 500), default=1, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True)
@click.option(
    "--rate", type=click.FloatRange(0, 50), default=10.0, show_default=True, help="Moves a second."
)
@click.option("--board", metavar="BOARD", default="load", show_default=True)
@click.option("--allow-remote", is_flag=True, help="Load a server on another machine.")
@config_option
def load(
    server: str | None,
    users: int,
    boards: int,
    seconds: float,
    rate: float,
    board: str,
    allow_remote: bool,
    config_path: Path | None,
) -> int:
    """Let many users move their cursors, and print the results."""
    # Here, so that `serve` does not load the client and its libraries.
    from ..client.address import parse_address

    where = server or local_url(config_path)
    try:
        address = parse_address(where)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not allow_remote and not is_loopback(address.host):
        raise click.UsageError(
            f"{address.host} is not this machine; add --allow-remote if it is yours to load"
        )
    plan = Plan(where, users, boards, seconds, rate, board, secrets.token_hex(3))
    tally = Tally()
    status = run_until_signal(partial(generate, plan, tally))
    click.echo(summary(plan, tally))
    return status or (0 if tally.joined else 1)


async def generate(plan: Plan, tally: Tally) -> None:
    """Run a plan; a cancelled run has counted what it did so far.

    Args:
        plan: The plan.
        tally: Counts what happens.
    """
    walks: dict[str, Walk] = {}
    entrance = trio.CapacityLimiter(CONNECTING_AT_ONCE)
    start = trio.current_time()
    try:
        async with trio.open_nursery() as nursery:
            for number in range(plan.users):
                nursery.start_soon(_user, plan, number, tally, walks, entrance)
    finally:
        tally.seconds = trio.current_time() - start


async def _user(
    plan: Plan, number: int, tally: Tally, walks: dict[str, Walk], entrance: trio.CapacityLimiter
) -> None:
    from ..client import PresenceClosed, connect

    user_id = f"load-{plan.run}-{number + 1}"
    walks[user_id] = Walk(number)
    await entrance.acquire_on_behalf_of(number)
    inside = False
    asked = trio.current_time()
    try:
        async with connect(
            plan.server,
            plan.board_of(number),
            user_id=user_id,
            display_name=f"Load {number + 1}",
            give_up_after_s=plan.seconds,
        ) as client:
            entrance.release_on_behalf_of(number)
            inside = True
            if client.state == "joined":
                tally.joined += 1
                tally.join_seconds.append(trio.current_time() - asked)
            else:
                tally.queued += 1
            with trio.move_on_after(plan.seconds):
                async with trio.open_nursery() as nursery:
                    if plan.rate > 0:
                        nursery.start_soon(_move, plan, client, tally, walks[user_id])
                    # One user on each board measures; more would themselves load the machine.
                    await _listen(client, tally, walks if number < plan.boards else {})
                    nursery.cancel_scope.cancel()
    except* PresenceClosed as group:
        # Listening and moving may both have met the end of the session: that is one failure.
        reason = _first_reason(group)
        tally.failed += 1
        tally.failures[reason] = tally.failures.get(reason, 0) + 1
    finally:
        if not inside:
            entrance.release_on_behalf_of(number)


def _first_reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def _listen(client: PresenceClient, tally: Tally, walks: dict[str, Walk]) -> None:
    async for event in client:
        tally.events += 1
        if walks and isinstance(event, PresenceCursors):
            now = trio.current_time()
            for user_id, x, y in event.payload.cursors:
                walk = walks.get(user_id)
                if walk is None or x is None or y is None:
                    continue
                sent_at = walk.sent_at((x, y))
                if sent_at is not None:
                    tally.seen_seconds.append(now - sent_at)


async def _move(plan: Plan, client: PresenceClient, tally: Tally, walk: Walk) -> None:
    while True:
        if client.state == "joined":
            await client.update(cursor=walk.next(trio.current_time()))
            tally.moves += 1
        await trio.sleep(1 / plan.rate)


def summary(plan: Plan, tally: Tally) -> str:
    """The results in a few lines."""
    lines = [
        f"users      {plan.users} on {plan.boards} boards of {plan.server}",
        f"joined     {tally.joined}, queued {tally.queued}, failed {tally.failed}",
        f"join       {_spread(tally.join_seconds)}",
        f"moves      {tally.moves} in {tally.seconds:.1f} s",
        f"events     {tally.events} received, {tally.events / max(tally.seconds, 1e-9):.0f}/s",
        f"seen after {_spread(tally.seen_seconds)}",
    ]
    lines += [f"failure    {count} x {reason}" for reason, count in tally.failures.items()]
    return "\n".join(lines)


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "nothing to measure"
    ordered = sorted(seconds)

    def percentile(share: float) -> float:
        return 1000 * ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

    return (
        f"p50 {percentile(0.5):.1f} ms, p99 {percentile(0.99):.1f} ms, max {percentile(1):.1f} ms"
    )
