"""What a second browser sees of somebody's tabs, of a frozen page and of ending tokens: nothing."""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser_kit import Person, serving
from tests.e2e.embedding_kit import ABOUT_SOMEBODY, Embedder, Scene
from tests.keys import SECRET, token

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

BAR = "<presence-bar board=demo user-id=ada></presence-bar>"
TOKENS_S = 4
"""How long the tokens of a test hold."""


def turn(tab: Embedder, visibility: str) -> None:
    """Have the tab in the foreground (``visible``) or not (``hidden``)."""
    tab.page.evaluate(
        """visibility => {
        const state = { value: visibility, configurable: true };
        Object.defineProperty(document, 'visibilityState', state);
        document.dispatchEvent(new Event('visibilitychange'));
    }""",
        visibility,
    )


def test_tabs_of_one_person_are_opened_and_switched(observed: Scene) -> None:
    first = observed.embed(BAR)
    first.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    observed.news()
    second = first.open_tab()
    second.expect_joined(2)
    for behind, before in ((first, second), (second, first), (first, second)):
        turn(before, "visible")
        turn(behind, "hidden")
        # Longer than a page may be hidden before its user counts as away.
        behind.page.wait_for_timeout(3500)
    observed.expect_no_news(second)
    turn(second, "hidden")
    observed.bob.expect_person("ada", status="away")  # So the tabs were really hidden.
    for tab in (first, second):
        tab.expect_no_complaints()


def test_a_page_is_frozen_and_goes_on(observed: Scene) -> None:
    ada = observed.embed(BAR)
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    observed.news()
    lifecycle = ada.context.new_cdp_session(ada.page)
    lifecycle.send("Page.setWebLifecycleState", {"state": "frozen"})
    observed.bob.page.wait_for_timeout(3000)
    lifecycle.send("Page.setWebLifecycleState", {"state": "active"})
    observed.expect_no_news(ada)
    ada.expect_joined(2)
    assert ada.sockets() == 1


def test_tokens_end_again_and_again(browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as stack:
        settings = {"auth__mode": "jwt", "auth__jwt_secret": SECRET}
        server = stack.enter_context(serving(tmp_path, board__leave_grace_s=30, **settings))
        context = browser.new_context()
        stack.callback(context.close)
        bob = Person(context, f"{server.url}/boards/tokens#token={token('bob')}")
        bob.expect_people("bob")
        scene = Scene(browser, server, stack)
        scene.board = "tokens"
        asked = itertools.count(1)

        def fresh() -> str:
            return f"{next(asked)} {token('ada', exp=int(time.time()) + TOKENS_S)}"

        ada = scene.embed("")
        ada.page.expose_function("freshToken", fresh)
        ada.page.evaluate(
            """async () => {
            const bar = document.createElement('presence-bar');
            bar.setAttribute('board', 'tokens');
            bar.getToken = async () => {
                const [count, token] = (await window.freshToken()).split(' ');
                window.tokens = Number(count);
                return token;
            };
            document.body.append(bar);
        }"""
        )
        ada.expect_joined(2)
        bob.expect_people("ada", "bob")
        seen = len(bob.told(*ABOUT_SOMEBODY))
        ada.page.wait_for_function("() => window.tokens >= 4")
        ada.expect_joined(2)
        # On a slow machine a token may end before the next one is there; that shows nobody either.
        assert bob.told(*ABOUT_SOMEBODY)[seen:] == []
