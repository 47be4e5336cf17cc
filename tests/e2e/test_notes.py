"""Sticky notes on the demo board, in real browsers."""

from __future__ import annotations

import itertools
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from presence_server.web import static_files
from tests.e2e.browser_kit import Person, ServerProcess, serving
from tests.e2e.notes_kit import (
    add_note,
    bar,
    expect_at,
    expect_saved,
    note,
    notes,
    stock_provider,
    text_of,
)
from tests.e2e.relay import PageRelay, Relay
from tests.keys import SECRET, token

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

_numbers = itertools.count(1)


@pytest.fixture
def board() -> str:
    """A board of this test alone."""
    return f"notes-{next(_numbers)}"


@pytest.fixture
def meet(
    browser: Browser, shared_server: ServerProcess, board: str
) -> Iterator[Callable[[str], Person]]:
    """Bring somebody to the board, whose notes are there, and see that their page has no errors."""
    people: list[Person] = []

    def come(name: str) -> Person:
        people.append(Person.at(browser, shared_server, name, board))
        expect(bar(people[-1])).to_be_visible()
        return people[-1]

    yield come
    for person in people:
        person.context.close()
        person.expect_no_complaints()


Meet = Callable[[str], Person]


def test_two_people_write_move_colour_and_delete_notes_together(meet: Meet) -> None:
    ada, bob = meet("Ada"), meet("Bob")
    add_note(ada, "Ship it")
    seen = note(bob, "Ship it")
    expect(text_of(seen)).to_have_value("Ship it")
    # Bob writes into the same note, before Ada's words, while her cursor is behind them.
    mine = note(ada, "Ship it")
    text_of(mine).focus()
    ada.page.keyboard.press("End")
    text_of(seen).focus()
    expect(mine.locator(".holder")).to_have_text("Bob")
    bob.page.keyboard.press("Home")
    bob.page.keyboard.type("Now: ")
    expect(text_of(mine)).to_have_value("Now: Ship it")
    ada.page.keyboard.type("!")
    expect(text_of(seen)).to_have_value("Now: Ship it!")

    ada.page.keyboard.press("Escape")
    mine.get_by_role("button", name="Mint").click()
    expect(seen).to_have_attribute("data-color", "mint")
    ada.page.mouse.move(*middle(ada, "Now: Ship it!"))
    ada.page.mouse.down()
    ada.page.mouse.move(300, 300, steps=5)
    # What is dragged moves for the others, too, before it is dropped.
    expect_same_place(mine, seen)
    ada.page.mouse.up()
    expect_same_place(mine, seen)
    for person in (ada, bob):
        expect_saved(person)

    seen.get_by_role("button", name="Delete the note").click()
    expect(notes(ada)).to_have_count(0)
    bob.page.keyboard.press("Control+z")
    expect(text_of(note(ada, "Now: Ship it!"))).to_have_value("Now: Ship it!")


def test_notes_can_be_written_moved_and_undone_by_keyboard_alone(meet: Meet) -> None:
    ada = meet("Ada")
    bar(ada).get_by_role("button", name="Add a note").focus()
    ada.page.keyboard.press("Enter")
    ada.page.keyboard.type("First")
    ada.page.keyboard.press("Escape")
    first = ada.page.get_by_role("group", name="Note: First")
    grip = first.get_by_role("button", name="Move the note: First")
    expect(grip).to_be_focused()
    expect(grip).to_have_accessible_description(re.compile("^Arrow keys move the note"))
    x, y = place_of(ada, "First")
    ada.page.keyboard.press("ArrowRight")
    ada.page.keyboard.press("Shift+ArrowUp")
    expect_at(first, x + 20, y - 2)
    ada.page.keyboard.press("Tab")
    expect(text_of(first)).to_be_focused()
    ada.page.keyboard.press("Tab")
    expect(first.get_by_role("button", name="Lemon")).to_be_focused()
    ada.page.keyboard.press("Tab")
    ada.page.keyboard.press("Enter")
    expect(first).to_have_attribute("data-color", "sky")
    ada.page.keyboard.press("Control+z")
    expect(first).to_have_attribute("data-color", "lemon")
    grip.focus()
    ada.page.keyboard.press("Delete")
    expect(notes(ada)).to_have_count(0)
    expect(bar(ada).get_by_role("button", name="Add a note")).to_be_focused()
    expect(ada.page.get_by_text("Note deleted. Undo brings it back")).to_be_attached()
    bar(ada).get_by_role("button", name="Undo").click()
    expect(text_of(first)).to_have_value("First")
    bar(ada).get_by_role("button", name="Redo").click()
    expect(notes(ada)).to_have_count(0)


def test_a_double_click_on_the_board_makes_a_note_there(meet: Meet) -> None:
    ada = meet("Ada")
    ada.point(500, 400)
    box = ada.page.locator("#stage").bounding_box()
    assert box is not None
    scale = box["width"] / 1600
    ada.page.mouse.dblclick(box["x"] + 500 * scale, box["y"] + 400 * scale)
    ada.page.keyboard.type("Here")
    expect_at(note(ada, "Here"), 400, 325)


@pytest.mark.yjs
def test_the_page_and_a_stock_provider_share_the_notes(
    meet: Meet, shared_server: ServerProcess, board: str
) -> None:
    ada = meet("Ada")
    with stock_provider(shared_server.url, board) as stock:
        add_note(ada, "From the page")
        expect_saved(ada)
        stock.do("note", key="theirs", text="From y-websocket", x=64, y=64, z=1, color="sky")
        theirs = note(ada, "From y-websocket")
        expect(theirs).to_have_attribute("data-color", "sky")
        text_of(theirs).fill("Both")
        expect_saved(ada)
        found = stock.do("notes")
        assert sorted(each["text"] for each in found.values()) == ["Both", "From the page"]


def test_notes_outlive_a_restart_and_what_was_written_offline_comes_together(
    browser: Browser, tmp_path: Path
) -> None:
    settings = {"server__drain_timeout_s": 1, "board__reconnecting_after_s": 20}
    with ExitStack() as first, Relay("http://127.0.0.1:9") as network:
        server = first.enter_context(serving(tmp_path, **settings))
        network.restore(server.url)
        ada = Person(browser.new_context(), f"{network.url}/boards/demo?user_id=ada")
        bob = Person(browser.new_context(), f"{network.url}/boards/demo?user_id=bob")
        for person in (ada, bob):
            expect(bar(person)).to_be_visible()
        add_note(ada, "Before")
        expect_saved(ada)
        expect(text_of(note(bob, "Before"))).to_have_value("Before")
        network.cut()
        for person in (ada, bob):
            person.expect_state("reconnecting")
        add_note(ada, "Of Ada alone")
        add_note(bob, "Of Bob alone")
        for person in (ada, bob):
            expect_saved(person, "offline")
        first.close()
        with serving(tmp_path, **settings) as second:
            late = Person.at(browser, second, "Late")
            expect(text_of(note(late, "Before"))).to_have_value("Before")
            network.restore(second.url)
            for person in (ada, bob):
                # The browser says so when the network is back, which ends a long wait.
                person.page.evaluate("dispatchEvent(new Event('online'))")
                expect_saved(person)
            for person in (ada, bob, late):
                for text in ("Before", "Of Ada alone", "Of Bob alone"):
                    expect(text_of(note(person, text))).to_have_value(text)
                expect(notes(person)).to_have_count(3)
                person.context.close()
                person.expect_no_complaints()


def test_a_viewer_reads_the_notes_and_finds_nothing_to_change_them(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, auth__mode="jwt", auth__jwt_secret=SECRET) as server:
        address = f"{server.url}/boards/demo#token="
        ada = Person(browser.new_context(), address + token("ada"))
        expect(bar(ada)).to_be_visible()
        add_note(ada, "Read me")
        eve = Person(browser.new_context(), address + token("eve", role="viewer"))
        seen = note(eve, "Read me")
        expect_saved(eve, "fixed")
        expect(eve.page.get_by_text("View only")).to_be_visible()
        expect(text_of(seen)).to_have_attribute("readonly", "")
        expect(eve.page.get_by_role("button", name="Add a note")).to_have_count(0)
        text_of(seen).click()
        eve.page.keyboard.type("x")
        eve.page.keyboard.press("Control+z")
        expect(seen.locator(".note-tools")).to_have_count(0)
        eve.page.mouse.dblclick(300, 400)
        text_of(note(ada, "Read me")).fill("Read me again")
        expect(text_of(note(eve, "Read me again"))).to_have_value("Read me again")
        expect(notes(eve)).to_have_count(1)
        for person in (ada, eve):
            assert person.told("error") == []
            person.context.close()
            person.expect_no_complaints()


def test_somebody_who_waits_for_a_seat_sees_the_notes_and_writes_once_let_in(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, board__capacity=1) as server:
        ada = Person.at(browser, server, "Ada")
        expect(bar(ada)).to_be_visible()
        add_note(ada, "First")
        expect_saved(ada)
        bob = Person.at(browser, server, "Bob")
        bob.expect_screen("queue")
        # The screen of those who wait lies over it.
        expect(note(bob, "First").locator("textarea")).to_have_value("First")
        expect_saved(bob, "fixed")
        ada.leave()
        bob.expect_state("live")
        add_note(bob, "Second")
        expect_saved(bob)
        for person in (ada, bob):
            person.context.close()
            person.expect_no_complaints()


def test_without_documents_the_board_is_as_it_was(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, documents__enabled=False) as server:
        ada, bob = (Person.at(browser, server, name) for name in ("Ada", "Bob"))
        for person in (ada, bob):
            person.expect_people("ada", "bob")
            person.page.wait_for_function("() => window.notes !== undefined")
        ada.point(400, 300)
        bob.expect_cursor("ada", 400, 300)
        for person in (ada, bob):
            expect(bar(person)).to_be_hidden()
            person.expect_state("live")
            person.context.close()
            person.expect_no_complaints()


def test_notes_work_where_text_may_not_become_code(
    browser: Browser, shared_server: ServerProcess
) -> None:
    page = static_files.packaged()["board.html"].body.decode()
    with urllib.request.urlopen(f"{shared_server.url}/", timeout=10) as answer:
        policy = answer.headers["Content-Security-Policy"]
    strict = f"Content-Security-Policy: {policy}; require-trusted-types-for 'script'"
    with PageRelay(shared_server.url, page, strict) as relay:
        ada = Person(browser.new_context(), relay.page_url)
        expect(bar(ada)).to_be_visible()
        text_of(add_note(ada, "Strict")).fill("Very strict")
        expect_saved(ada)
        refused = (
            "() => { try { document.body.innerHTML = '' } catch { return true } return false }"
        )
        assert ada.page.evaluate(refused)
        ada.context.close()
        ada.expect_no_complaints()


def middle(person: Person, text: str) -> tuple[float, float]:
    """Where to take hold of a note, in pixels of the window."""
    box = note(person, text).locator(".grip").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def place_of(person: Person, text: str) -> tuple[float, float]:
    """Where a note is, in board units."""
    found = note(person, text).evaluate("each => [each.offsetLeft, each.offsetTop]")
    return float(found[0]), float(found[1])


def expect_same_place(one: Locator, other: Locator) -> None:
    """Two people see a note at the same place."""
    x, y = one.evaluate("each => [each.offsetLeft, each.offsetTop]")
    expect_at(other, x, y)
