"""``<presence-bar>`` in a page of somebody else's, in a real browser."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.e2e.browser_kit import SHOWN_WITHIN_MS, Person, ServerProcess, launch, serving
from tests.e2e.relay import PageRelay

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

ABOUT_SOMEBODY = ("user:joined", "user:left", "presence:update")
PAGE = """<!doctype html><meta charset="utf-8"><title>Embedded</title>
<script type="module" src="/static/presence-bar.js"></script>
<body style="margin: 0; font: 16px sans-serif">{body}</body>"""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    started = launch(playwright)
    yield started
    started.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all: each test has boards of its own."""
    with serving(tmp_path_factory.mktemp("server"), board__leave_grace_s=8) as started:
        yield started


_numbers = itertools.count(1)


class Embedder(Person):
    """Somebody at a page with bars of its own."""

    def __init__(self, context: BrowserContext, relay: PageRelay) -> None:
        super().__init__(context, f"{relay.url}/embed")
        self.page.set_default_timeout(SHOWN_WITHIN_MS)

    def run(self, script: str) -> Any:
        """Run a function in the page, which gets its first bar."""
        return self.page.evaluate(f"({script})(document.querySelector('presence-bar'))")

    def until(self, condition: str) -> None:
        """Wait for an expression about ``bar``, the page's first one."""
        self.page.wait_for_function(
            f"() => {{ const bar = document.querySelector('presence-bar'); return {condition}; }}"
        )

    def expect_joined(self, people: int) -> None:
        self.until(f"bar.client?.state === 'joined' && bar.client.users.size === {people}")

    def sockets(self) -> int:
        return int(self.page.evaluate("window.sockets.length"))


class Scene:
    """A server with an observer on its board ``demo``, and pages that embed bars."""

    def __init__(self, browser: Browser, server: ServerProcess, stack: ExitStack) -> None:
        self.server = server
        self.browser = browser
        self._stack = stack
        self.board = f"board-{next(_numbers)}"
        self._seen = 0

    @cached_property
    def bob(self) -> Person:
        """The observer."""
        bob = Person.at(self.browser, self.server, "Bob", self.board)
        bob.expect_state("live")
        return bob

    def embed(self, body: str, *headers: str, width: int = 900) -> Embedder:
        """Open a page with this in its body; the board "demo" is one of this test alone."""
        page = PAGE.format(body=body.replace("demo", self.board))
        relay = self._stack.enter_context(PageRelay(self.server.url, page, *headers))
        context = self.browser.new_context(viewport={"width": width, "height": 400})
        self._stack.callback(context.close)
        return Embedder(context, relay)

    def news(self) -> list[dict[str, Any]]:
        """What the observer was told of others since the last time."""
        told = self.bob.told(*ABOUT_SOMEBODY)
        news, self._seen = told[self._seen :], len(told)
        return news

    def expect_no_news(self, embedder: Embedder) -> None:
        """Nothing of what the page has just done shows, not even a second and a half later."""
        embedder.page.wait_for_timeout(1500)
        assert self.news() == []


@pytest.fixture
def scene(browser: Browser, server: ServerProcess) -> Iterator[Scene]:
    with ExitStack() as stack:
        scene = Scene(browser, server, stack)
        yield scene
        if "bob" in scene.__dict__:
            scene.bob.context.close()


@pytest.fixture
def observed(scene: Scene) -> Scene:
    """A scene whose observer is there already."""
    scene.bob.expect_people("bob")
    return scene


def test_a_guest_resumes_after_a_drop_and_over_a_reload(observed: Scene) -> None:
    guest = observed.embed("<presence-bar board=demo></presence-bar>")
    guest.expect_joined(2)
    user_id = guest.run("bar => bar.client.userId")
    observed.bob.expect_people("bob", user_id)
    observed.news()
    guest.drop_connection()
    guest.until("bar.client.status.resumed === true")
    guest.page.reload()
    guest.until("bar.client?.status.resumed === true")
    assert guest.run("bar => bar.client.userId") == user_id
    assert all("status" in event for event in observed.news())  # of nobody who came or left
    guest.expect_no_complaints()


def test_a_guest_does_not_queue_after_its_own_ghost(browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, board__capacity=1))
        guest = Scene(browser, server, stack).embed("<presence-bar board=demo></presence-bar>")
        guest.expect_joined(1)
        guest.drop_connection()
        guest.until("bar.client.status.resumed === true")


def test_a_change_of_the_board_attribute_changes_the_board(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada display-name=Ada></presence-bar>")
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    ada.run("""bar => {
        bar.setAttribute('board', 'r1');
        bar.setAttribute('board', 'r2');
    }""")
    ada.until("bar.client.board === 'r2' && bar.client.state === 'joined'")
    observed.bob.expect_people("bob")
    assert ada.sockets() == 2
    ada.run(f"bar => bar.setAttribute('board', '{observed.board}')")
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    ada.expect_no_complaints()


def test_a_change_of_the_name_attribute_is_seen_by_the_others(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada display-name=Ada></presence-bar>")
    ada.expect_joined(2)
    ada.run("""bar => {
        bar.setAttribute('display-name', 'Ada L');
        bar.setAttribute('color', '#112233');
    }""")
    ada.until("bar.client.self?.display_name === 'Ada L' && bar.client.self.color === '#112233'")
    assert ada.sockets() == 1
    ada.run("bar => bar.setAttribute('user-id', 'ada2')")
    ada.until("bar.client.self?.user_id === 'ada2'")
    observed.bob.expect_people("bob", "ada2")


def test_a_bar_that_moves_leaves_nobody(observed: Scene) -> None:
    ada = observed.embed(
        "<div id=a><presence-bar board=demo user-id=ada></presence-bar></div><div id=b></div>"
    )
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    observed.news()
    ada.run("bar => document.querySelector('#b').append(bar)")
    ada.run("bar => document.querySelector('#a').prepend(bar)")
    # As a route change does it that mounts the same board again, or StrictMode, or HMR.
    ada.run("""async bar => {
        bar.remove();
        await new Promise(resolve => setTimeout(resolve, 300));
        const next = document.createElement('presence-bar');
        next.setAttribute('board', bar.getAttribute('board'));
        next.setAttribute('user-id', 'ada');
        document.querySelector('#b').append(next);
    }""")
    observed.expect_no_news(ada)
    ada.expect_joined(2)
    assert ada.sockets() == 1
    ada.run("bar => bar.remove()")
    observed.bob.expect_people("bob")
    ada.expect_no_complaints()


def test_bars_of_one_board_share_a_client_and_announce_once(observed: Scene) -> None:
    bars = "<presence-bar board=demo user-id=ada></presence-bar>" * 3
    ada = observed.embed(bars)
    ada.expect_joined(2)
    assert ada.sockets() == 1
    ada.run("bar => bar.remove()")
    ada.page.wait_for_timeout(1500)
    ada.expect_joined(2)
    cyd = Person.at(observed.browser, observed.server, "Cyd", observed.board)
    cyd.expect_state("live")
    ada.page.wait_for_function("""() => [...document.querySelectorAll('presence-bar')].some(
        bar => bar.shadowRoot.querySelector('[aria-live]').textContent !== '')""")
    announced = ada.page.evaluate("""[...document.querySelectorAll('presence-bar')]
        .map(bar => bar.shadowRoot.querySelector('[aria-live]').textContent)""")
    assert sorted(announced) == ["", "Cyd joined"]


def test_a_second_copy_of_the_module_does_no_harm(observed: Scene) -> None:
    ada = observed.embed(
        "<presence-bar board=demo user-id=ada></presence-bar>"
        '<script type="module" src="/static/presence-bar.js?v=2"></script>'
    )
    ada.expect_joined(2)
    ada.page.wait_for_load_state()
    assert ada.sockets() == 1
    ada.expect_no_complaints()


def test_a_client_that_is_set_before_the_element_is_defined_is_taken_over(observed: Scene) -> None:
    ada = observed.embed("""<presence-bar></presence-bar><script type="module">
        import { PresenceClient } from '/static/presence-client.js';
        const client = new PresenceClient({ board: 'demo', user_id: 'ada' });
        document.querySelector('presence-bar').client = client;
        client.connect();
        await import('/static/presence-bar.js');
    </script>""")
    ada.expect_joined(2)
    ada.until("bar.shadowRoot.querySelectorAll('[data-testid=presence-user]').length === 2")


def test_trusted_types_may_be_required(scene: Scene) -> None:
    ada = scene.embed(
        "<presence-bar board=demo user-id=ada></presence-bar>",
        "Content-Security-Policy: require-trusted-types-for 'script'; style-src 'none'",
    )
    ada.expect_joined(1)
    ada.expect_no_complaints()


# --- layout -------------------------------------------------------------------------


SHOWN = "bar => bar.shadowRoot.querySelectorAll('[data-testid=presence-user]').length"
HEADER = """<header style="display: flex; justify-content: space-between; align-items: center">
    <h1>My board</h1><presence-bar {attributes}></presence-bar></header>"""


def crowd(embedder: Embedder, count: int) -> None:
    """Give the bar a client that shows this many people."""
    embedder.page.wait_for_function("() => customElements.get('presence-bar')")
    embedder.page.evaluate(
        """count => {
        const bar = document.querySelector('presence-bar');
        const users = new Map();
        for (let n = 0; n < count; n += 1) users.set(`u${n}`, {
            user_id: `u${n}`, display_name: `Person ${n}`, avatar_url: null, color: '#1d4ed8',
            status: ['online', 'idle', 'away'][n % 3], connected: true, cursor: null,
            metadata: null, joined_at: n,
        });
        const client = new EventTarget();
        bar.client = Object.assign(client, { users, state: 'joined', userId: 'u0' });
        return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    }""",
        count,
    )


@pytest.mark.parametrize(
    ("width", "people", "attributes", "shown"),
    [
        (900, 1, "", 1),
        (900, 6, "", 5),
        (900, 100, "", 5),
        (900, 6, "max=8", 6),
        (900, 100, "max=8", 8),
        (320, 100, "", 2),
        (320, 2, "", 2),
        (900, 100, "max=3 size=24", 3),
        (900, 100, "max=8 overlap=12", 8),
    ],
)
def test_in_a_header_it_is_as_wide_as_its_people(
    scene: Scene, width: int, people: int, attributes: str, shown: int
) -> None:
    page = scene.embed(HEADER.format(attributes=attributes), width=width)
    crowd(page, people)
    assert page.run(SHOWN) == shown
    overflow = page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow == 0


@pytest.mark.parametrize(
    "style",
    [
        "display: grid; grid-template-columns: 1fr auto",
        "display: inline-flex",
        "float: right",
        "position: absolute; right: 0",
    ],
)
def test_in_other_boxes_that_fit_their_content_too(scene: Scene, style: str) -> None:
    page = scene.embed(
        f'<div style="{style}"><b>Title</b><presence-bar></presence-bar></div>',
    )
    crowd(page, 6)
    assert page.run(SHOWN) == 5


def test_where_there_is_more_room_it_shows_more(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 100)
    assert page.run(SHOWN) > 15


def test_its_height_is_the_same_without_people(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    page.page.wait_for_function("() => customElements.get('presence-bar')")
    empty = page.run("bar => bar.offsetHeight")
    crowd(page, 7)
    assert page.run("bar => bar.offsetHeight") == empty > 36


@pytest.mark.parametrize(("align", "at"), [("start", 0), ("end", 1), (None, 1)])
def test_it_is_aligned_as_asked(scene: Scene, align: str | None, at: int) -> None:
    attribute = f"align={align}" if align else ""
    page = scene.embed(f"<presence-bar {attribute}></presence-bar>")
    crowd(page, 2)
    left, right = page.run("""bar => {
        const row = bar.shadowRoot.querySelector('.people').getBoundingClientRect();
        const more = bar.shadowRoot.querySelector('.bar .more').getBoundingClientRect();
        return [row.left, innerWidth - more.right];
    }""")
    assert (left, right)[at] < 8 < (left, right)[1 - at]
