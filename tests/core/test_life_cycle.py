"""The life of a session as a table: each line is played, and the specification agrees with it.

The table is in the docstring of ``core/roster.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from presence_server.core import roster
from presence_server.core.events import (
    AdmitNext,
    Connect,
    Event,
    Kick,
    Parted,
    Parting,
    Restore,
    RowCommitted,
    Tick,
)
from presence_server.core.room import Room
from presence_server.protocol.model import PresenceRecord, PresenceStatus
from presence_server.protocol.profile import clean_profile
from tests.limits import board_limits

SPECIFICATION = Path(__file__).parents[2] / "docs" / "websocket-events-specification.md"
BESIDE = {"SaveRows", "SaveHeartbeats", "PlaceBegan", "PlaceEnded", "Publish", "SeatFree"}
"""Effects that the table leaves out."""
NOW = 1000.0
ADA = clean_profile("ada")


class Line(NamedTuple):
    """One line of the table."""

    phase: str
    event: str
    next: str
    effects: list[str]


def _read_table() -> list[Line]:
    rows = (roster.__doc__ or "").splitlines()
    rule = next(n for n, row in enumerate(rows) if row.strip().startswith("---"))
    columns = [match.start() for match in re.finditer("-+", rows[rule])]
    lines = []
    for row in rows[rule + 1 :]:
        if not row.strip():
            break
        cells = [row[a:b].strip() for a, b in zip(columns, [*columns[1:], None], strict=True)]
        lines.append(Line(cells[0], cells[1], cells[2], cells[3].split()))
    return lines


TABLE = _read_table()


class Stage:
    """A room with the session ``ada`` in one phase, on a board with one seat."""

    def __init__(self, phase: str) -> None:
        self.room = Room("b", board_limits(capacity=1, queue_limit=1, timeout_s=300), 0)
        self.now = NOW
        self.resumes = False
        match phase:
            case "queued":
                self.play(Connect(1, "bob", clean_profile("bob")))
                self.play(RowCommitted("bob"))
                self.play(Connect(2, "ada", ADA))
            case "admitting" | "joined" | "detached":
                self.play(Connect(2, "ada", ADA))
                if phase != "admitting":
                    self.play(RowCommitted("ada"))
                if phase == "detached":
                    self.play(Parted(2, "ada", Parting.DROPPED))

    def play(self, event: Event) -> list[str]:
        """Apply an event; the names of its effects."""
        return [type(effect).__name__ for effect in self.room.handle(event, self.now)]

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; the names of the effects of the ``Tick`` at its end."""
        self.now += seconds - 0.001
        self.play(Tick())  # What time changes before is another matter.
        self.now += 0.001
        return self.play(Tick())

    def phase(self) -> str:
        """Where the session is now."""
        session = self.room._state.sessions.get("ada")
        if session is None:
            return "gone"
        if session.phase is roster.Phase.JOINED and session.connection is None:
            return "detached"
        return session.phase.value


def _full(stage: Stage, *, queue: bool) -> list[str]:
    stage.play(Connect(1, "bob", clean_profile("bob")))
    if queue:
        stage.play(Connect(3, "cyd", clean_profile("cyd")))
    return stage.play(Connect(2, "ada", ADA))


def _restore(stage: Stage) -> list[str]:
    row = PresenceRecord("b", "ada", "ada", PresenceStatus.ONLINE, None, None, int(NOW * 1000), 0)
    return stage.play(Restore(((row, ADA),)))


def _admit(stage: Stage) -> list[str]:
    stage.play(Parted(1, "bob", Parting.LEFT))
    return stage.play(AdmitNext())


def _drop_in_the_queue(stage: Stage) -> list[str]:
    stage.play(Parted(2, "ada", Parting.DROPPED))
    return stage.wait(stage.room.limits.queue_grace_s)


def _resume(stage: Stage) -> list[str]:
    stage.play(Parted(2, "ada", Parting.DROPPED))
    return stage.play(Connect(4, "new", ADA, "ada"))


def _leave_the_page(stage: Stage) -> list[str]:
    stage.play(Connect(4, "new", ADA, "ada"))
    stage.play(Parted(4, "ada", Parting.PAGE_LEFT))
    return stage.wait(stage.room.limits.leave_grace_s)


def _reclaim(stage: Stage) -> list[str]:
    stage.play(Connect(1, "bob", clean_profile("bob")))
    return stage.wait(stage.room.limits.reclaim_after_s)


EVENTS: dict[str, Callable[[Stage], list[str]]] = {
    "Connect: a seat is free": lambda stage: stage.play(Connect(2, "ada", ADA)),
    "Connect: the board is full": lambda stage: _full(stage, queue=False),
    "Connect: the queue is full": lambda stage: _full(stage, queue=True),
    "Restore": _restore,
    "AdmitNext": _admit,
    "Parted: dropped": lambda stage: stage.play(Parted(2, "ada", Parting.DROPPED)),
    "Parted: left": lambda stage: stage.play(Parted(2, "ada", Parting.LEFT)),
    "Parted: the page was left": lambda stage: stage.play(Parted(2, "ada", Parting.PAGE_LEFT)),
    "Connect: resumed": _resume,
    "Tick: the grace is over": _drop_in_the_queue,
    "Kick": lambda stage: stage.play(Kick("ada")),
    "RowCommitted": lambda stage: stage.play(RowCommitted("ada")),
    "Tick: silent for too long": lambda stage: stage.wait(stage.room.limits.timeout_s),
    "Tick: the leave grace is over": _leave_the_page,
    "Tick: the seat is reclaimed": _reclaim,
}


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.phase}-{line.event}")
def test_the_room_does_what_the_table_says(line: Line) -> None:
    stage = Stage(line.phase)
    effects = EVENTS[line.event](stage)
    assert [name for name in effects if name not in BESIDE] == line.effects
    assert stage.phase() == ("gone" if line.next == "(none)" else line.next)


def test_the_table_has_every_phase() -> None:
    phases = {phase.value for phase in roster.Phase}
    assert {line.phase for line in TABLE} == phases | {"(none)", "detached"}


def test_the_diagram_of_the_specification_has_the_changes_of_the_table() -> None:
    diagram = SPECIFICATION.read_text().split("stateDiagram-v2\n")[1].split("```")[0]
    arrows = set(re.findall(r"^ +(\S+) --> (\S+): \S", diagram, re.MULTILINE))
    ends = {"(none)": "[*]", "gone": "[*]"}
    changes = {
        (ends.get(line.phase, line.phase), ends.get(line.next, line.next))
        for line in TABLE
        if line.next not in (line.phase, "(none)")
    }
    assert arrows == changes
