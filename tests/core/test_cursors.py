"""Cursors: the newest of each that moved, once an interval."""

from __future__ import annotations

import math

from presence_server.core.cursors import CursorTray
from presence_server.protocol.model import Cursor

HERE = Cursor(0.0, 0.0)


def taken(tray: CursorTray, now: float) -> list[tuple[str, float | None, float | None]] | None:
    event = tray.take(now, 1234)
    return None if event is None else event.payload.cursors


def test_nothing_moved_nothing_due() -> None:
    tray = CursorTray(50)
    assert tray.due == math.inf
    assert taken(tray, 1e9) is None


def test_the_first_after_a_pause_is_due_at_once() -> None:
    tray = CursorTray(50)
    tray.moved("ada", Cursor(3.0, 0.0), 10.0)
    assert tray.due == 10.0
    event = tray.take(10.0, 1234)
    assert event is not None
    assert event.payload.cursors == [("ada", 3.0, 0.0)]
    assert event.payload.timestamp == 1234


def test_the_next_waits_for_the_interval_and_then_holds_the_newest() -> None:
    tray = CursorTray(50)
    tray.moved("ada", HERE, 10.0)
    tray.take(10.0, 0)
    for step in range(1, 4):
        tray.moved("ada", Cursor(float(step), 0.0), 10.0 + step / 100)
    assert tray.due == 10.05
    assert taken(tray, 10.04) is None
    assert taken(tray, 10.05) == [("ada", 3.0, 0.0)]
    assert taken(tray, 11.0) is None


def test_a_removed_cursor_is_sent_as_null() -> None:
    tray = CursorTray(50)
    tray.moved("ada", None, 1.0)
    assert taken(tray, 1.0) == [("ada", None, None)]


def test_a_user_who_left_is_forgotten_and_the_others_are_not() -> None:
    tray = CursorTray(50)
    tray.moved("ada", HERE, 1.0)
    tray.moved("bob", Cursor(7.0, 0.0), 1.0)
    tray.forget("ada")
    assert tray.due == 1.0
    assert taken(tray, 1.0) == [("bob", 7.0, 0.0)]
    tray.moved("bob", HERE, 2.0)
    tray.forget("bob")
    tray.forget("nobody")
    assert tray.due == math.inf
