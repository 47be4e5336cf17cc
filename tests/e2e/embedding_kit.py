"""Pages that embed the elements, and an observer who sees what the others on a board see."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests.e2e.browser_kit import SHOWN_WITHIN_MS, Person, ServerProcess
from tests.e2e.relay import PageRelay

ABOUT_SOMEBODY = ("user:joined", "user:left", "presence:update")
BAR = '<script type="module" src="/static/presence-bar.js"></script>'
PAGE = """<!doctype html><meta charset="utf-8"><title>Embedded</title>
{head}
<body style="margin: 0; font: 16px sans-serif">{body}</body>"""

_numbers = itertools.count(1)


class Embedder(Person):
    """Somebody at a page with bars of its own."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        super().__init__(context, address)
        self.page.set_default_timeout(SHOWN_WITHIN_MS)

    def open_tab(self) -> Embedder:
        """Open the same page in another tab of the same browser."""
        return Embedder(self.context, self.address)

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

    def embed(
        self,
        body: str,
        *headers: str,
        width: int = 900,
        scripts: Iterable[str] = (),
        with_bar: bool = True,
    ) -> Embedder:
        """Open a page with this in its body; the board "demo" is one of this test alone.

        Args:
            body: its content.
            headers: of the answer.
            width: of the window, in pixels.
            scripts: run before those of the page.
            with_bar: whether it loads the module of the bar.
        """
        network = self.serve(body, *headers, with_bar=with_bar)
        return self.visit(network, width=width, scripts=scripts)

    def serve(self, body: str, *headers: str, with_bar: bool = True) -> PageRelay:
        """Serve a page with this in its body, as :meth:`embed` does."""
        head = BAR if with_bar else ""
        page = PAGE.format(head=head, body=body.replace("demo", self.board))
        return self._stack.enter_context(PageRelay(self.server.url, page, *headers))

    def visit(
        self, network: PageRelay, *, width: int = 900, scripts: Iterable[str] = ()
    ) -> Embedder:
        """Open the page that a network serves, in a browser of its own."""
        context = self.browser.new_context(viewport={"width": width, "height": 400})
        for script in scripts:
            context.add_init_script(script)
        self._stack.callback(context.close)
        return Embedder(context, network.page_url)

    def news(self) -> list[dict[str, Any]]:
        """What the observer was told of others since the last time."""
        told = self.bob.told(*ABOUT_SOMEBODY)
        news, self._seen = told[self._seen :], len(told)
        return news

    def expect_no_news(self, embedder: Embedder) -> None:
        """Nothing of what the page has just done shows, not even a second and a half later."""
        embedder.page.wait_for_timeout(1500)
        assert self.news() == []


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
        const told = { users, state: 'joined', userId: 'u0', serverTime: Date.now() };
        bar.client = Object.assign(client, told);
        return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    }""",
        count,
    )


def update_user(
    embedder: Embedder, user_id: str, /, *gone: None, kind: str = "updated", **changes: object
) -> None:
    """Change somebody of a :func:`crowd`, or (with None) take them away, and wait for the frame."""
    embedder.page.evaluate(
        """([userId, kind, changes]) => {
        const { client } = document.querySelector('presence-bar');
        const old = client.users.get(userId) ?? client.users.get('u0');
        const user = { ...old, user_id: userId, ...changes };
        if (changes === null) client.users.delete(userId);
        else client.users.set(userId, user);
        client.dispatchEvent(new CustomEvent('users', { detail: { kind, user } }));
        return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    }""",
        [user_id, kind, None if gone else changes],
    )
