"""Sticky notes as people see them, and a stock provider beside them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, expect

from tests.e2e.browser_kit import Person
from tests.programs import yjs_packages
from tests.yjs.stock import DRIVER, PATIENCE_S


def bar(person: Person) -> Locator:
    return person.page.get_by_test_id("note-bar")


def notes(person: Person) -> Locator:
    return person.page.locator(".sticky")


def note(person: Person, text: str) -> Locator:
    """The note with exactly this text."""
    return person.page.locator(".sticky").filter(has=person.page.locator(".mirror", has_text=text))


def add_note(person: Person, text: str) -> Locator:
    """Write a note, and leave it."""
    person.page.get_by_role("button", name="Add a note").click()
    person.page.keyboard.type(text)
    person.page.keyboard.press("Escape")
    return note(person, text)


def text_of(note: Locator) -> Locator:
    return note.get_by_role("textbox")


def expect_saved(person: Person, state: str = "saved") -> None:
    expect(person.page.get_by_test_id("note-saved")).to_have_attribute("data-state", state)


def expect_at(note: Locator, x: float, y: float) -> None:
    """The note's corner is here, in board units."""
    expect(note).to_have_css("left", f"{x:g}px")
    expect(note).to_have_css("top", f"{y:g}px")


class StockProvider:
    """A client of y-websocket in Node, for tests without an event loop."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, op: str, **args: object) -> Any:
        """Do something; what it returns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"id": 1, "op": op, "name": "stock", **args})
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer["result"]


@contextmanager
def stock_provider(url: str, board: str) -> Iterator[StockProvider]:
    """Connect one to a board."""
    process = subprocess.Popen(
        ["node", str(DRIVER), str(yjs_packages())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        provider = StockProvider(process)
        ws = url.replace("http", "ws", 1)
        provider.do("open", kind="y-websocket-3", url=ws, board=board)
        assert provider.do("synced", seconds=PATIENCE_S)
        yield provider
    finally:
        process.kill()
        process.communicate()
