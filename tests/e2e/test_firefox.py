"""The elements in Firefox: bar, list, cursors, company, queue, reload and back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.browser_kit import ServerProcess, serving
from tests.e2e.firefox_kit import Firefox, Visitor
from tests.e2e.relay import PageRelay

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.firefox]

_numbers = itertools.count(1)
PAGE = '<!doctype html><meta charset="utf-8"><title>Embedded</title>'
BAR = "document.querySelector('presence-bar').shadowRoot"
CURSORS = "document.querySelector('presence-cursors')"
PERSON = "document.querySelector('presence-bar').shadowRoot.querySelector('[data-user-id={}]')"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with Firefox(tmp_path_factory.mktemp("firefox")) as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, board__leave_grace_s=20, board__capacity=2) as started:
        yield started


class Town:
    """A board of one test, and the people at it."""

    def __init__(self, firefox: Firefox, server: ServerProcess, stack: ExitStack) -> None:
        self.board = f"firefox-{next(_numbers)}"
        self._firefox = firefox
        self._server = server
        self._stack = stack

    def visit(self, user_id: str) -> Visitor:
        """Somebody at the demo's page."""
        name = user_id.title()
        return self._open(self._server.board(self.board, user_id=user_id, display_name=name))

    def embed(self, body: str) -> Visitor:
        """Somebody at a page with this body, in which "demo" is the board."""
        page = PAGE + body.replace("demo", self.board)
        relay = self._stack.enter_context(PageRelay(self._server.url, page))
        return self._open(relay.page_url)

    def _open(self, address: str) -> Visitor:
        visitor = self._firefox.visit(address)
        self._stack.callback(visitor.close)
        return visitor


@pytest.fixture
def town(firefox: Firefox, server: ServerProcess) -> Iterator[Town]:
    firefox.log.clear()
    with ExitStack() as stack:
        yield Town(firefox, server, stack)
        errors = [entry["text"] for entry in firefox.log if entry["level"] == "error"]
        assert errors == []


def until_joined(visitor: Visitor, people: int) -> None:
    visitor.until(f"presence.state === 'joined' && presence.users.size === {people}")


def test_the_bar_and_its_list_show_who_is_there(town: Town) -> None:
    ada, bob = town.visit("ada"), town.visit("bob")
    for each in (ada, bob):
        until_joined(each, 2)
        for user_id in ("ada", "bob"):
            each.until(f"{PERSON.format(user_id)} !== null")
    ada.run("presence.setStatus('away')")
    bob.until(f"{PERSON.format('ada')}.dataset.status === 'away'")
    bob.click(f"{BAR}.querySelector('[data-testid=presence-overflow]')")
    panel = f"{BAR}.querySelector('[role=dialog]')"
    bob.until(f"{panel}.matches(':popover-open')")
    bob.until(f"['Ada', 'Bob'].every(name => {panel}.textContent.includes(name))")
    bob.press("ArrowDown")
    bob.until(f"{panel}.contains({BAR}.activeElement)")
    bob.press("Escape")
    bob.until(f"!{panel}.matches(':popover-open')")


def test_a_cursor_is_at_the_same_place_for_the_others(town: Town) -> None:
    page = """<script type="module" src="/static/presence-cursors.js"></script>
        <div id="canvas" style="height: 300px; margin: 20px"></div>
        <presence-cursors board="demo" user-id="{}" for="canvas"></presence-cursors>"""
    ada, bob = (town.embed(page.format(user_id)) for user_id in ("ada", "bob"))
    for each in (ada, bob):
        each.until("document.querySelector('presence-cursors').client.users.size === 2")
    ada.point("#canvas", 0.25, 0.5)
    bob.until(
        """(() => {
        const root = document.querySelector('presence-cursors').shadowRoot;
        const at = root.querySelector('[data-cursor-user=ada]').getBoundingClientRect();
        const box = document.querySelector('#canvas').getBoundingClientRect();
        return Math.abs(at.left - box.left - 0.25 * box.width) < 2
            && Math.abs(at.top - box.top - 0.5 * box.height) < 2;
    })()"""
    )


def test_people_chat_follow_and_call_each_other(town: Town) -> None:
    page = """<script type="module" src="/static/presence-cursors.js"></script>
        <div id="canvas" style="height: 200px; overflow: auto">
            <div style="height: 2000px"></div>
        </div>
        <presence-cursors board="demo" user-id="{}" for="canvas" scrollable></presence-cursors>"""
    ada, bob = (town.embed(page.format(user_id)) for user_id in ("ada", "bob"))
    for each in (ada, bob):
        each.until(f"{CURSORS}.client.users.size === 2")
    ada.point("#canvas", 0.25, 0.5)
    bob.until(f"{CURSORS}.shadowRoot.querySelector('[data-cursor-user=ada]') !== null")
    ada.press("/")
    ada.until(f"{CURSORS}.shadowRoot.activeElement?.matches('input')")
    ada.press("h", "i")
    saying = f"{CURSORS}.shadowRoot.querySelector('[data-cursor-user=ada] [part=saying]')"
    bob.until(f"{saying}.textContent === 'hi'")
    ada.press("Escape")
    bob.run(f"{CURSORS}.follow('ada')")
    ada.run("document.querySelector('#canvas').scrollTo(0, 600)")
    bob.until("Math.abs(document.querySelector('#canvas').scrollTop - 600) <= 2")
    ada.until(f"{CURSORS}.shadowRoot.querySelector('[part=chip]').textContent.includes('1')")
    bob.press("Escape")
    bob.until(f"{CURSORS}.following === null")
    bob.run(f"{CURSORS}.summon()")
    offer = f"{CURSORS}.shadowRoot.querySelector('[part=offer]')"
    ada.until(f"{offer} !== null")
    ada.click(f"{offer}.querySelector('button')")
    ada.until(f"{CURSORS}.following === 'bob'")


def test_those_who_wait_see_their_position_and_get_the_seat(town: Town) -> None:
    ada, bob = town.visit("ada"), town.visit("bob")
    for each in (ada, bob):
        until_joined(each, 2)
    cyd = town.visit("cyd")
    cyd.until("presence.state === 'queued' && presence.status.position === 1")
    queue = "document.querySelector('presence-queue')"
    cyd.until(f"{queue}.hasAttribute('data-waits') && {queue}.getBoundingClientRect().height > 0")
    cyd.until(f"{queue}.shadowRoot.textContent.includes('1')")
    ada.click("document.querySelector('#leave')")
    until_joined(cyd, 2)
    cyd.until(f"!{queue}.hasAttribute('data-waits')")
    bob.until(f"{PERSON.format('cyd')} !== null && {PERSON.format('ada')} === null")


def test_a_reload_and_going_back_show_the_others_nothing(town: Town) -> None:
    bob, ada = town.visit("bob"), town.visit("ada")
    for each in (ada, bob):
        until_joined(each, 2)
    bob.news()
    ada.reload()
    until_joined(ada, 2)
    assert ada.run("presence.status.resumed") is True
    ada.run("location.assign('/healthz')")
    ada.until("location.pathname === '/healthz'")
    ada.back()
    ada.until("presence.state === 'joined' && presence.status.resumed === true")
    assert [event for event in bob.news() if event["type"] != "presence:update"] == []
    until_joined(bob, 2)
    bob.until(f"{PERSON.format('ada')}.dataset.connected === 'true'")
