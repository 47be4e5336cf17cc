"""What a second browser sees of somebody's tabs, of a frozen page and of ending tokens: nothing."""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser_kit import SHOWN_WITHIN_MS, Person, serving
from tests.e2e.embedding_kit import ABOUT_SOMEBODY, Scene
from tests.e2e.tabs_kit import tabbed_browser
from tests.keys import SECRET, token

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

BAR = "<presence-bar board=demo user-id=ada></presence-bar>"
CLIENT = "document.querySelector('presence-bar').client"
TOKENS_S = 4
"""How long the tokens of a test hold."""


def expect_order(person: Person, order: str) -> None:
    """The people in somebody's bar come to stand in this order."""
    person.page.wait_for_function(
        """order => {
            const { shadowRoot } = document.querySelector('presence-bar');
            const people = [...shadowRoot.querySelectorAll('[data-user-id]')];
            return people.map(each => each.dataset.userId).join(' ') === order;
        }""",
        arg=order,
        timeout=SHOWN_WITHIN_MS,
    )


def test_tabs_of_one_person_are_opened_and_switched(observed: Scene, tmp_path: Path) -> None:
    address = observed.serve(BAR).page_url
    joined = f"{CLIENT}.state === 'joined' && {CLIENT}.users.size === 2"
    with tabbed_browser(tmp_path) as browser:
        first = browser.open(address)
        first.until(joined)
        observed.bob.expect_people("bob", "ada")
        observed.news()
        second = browser.open(address)
        second.until(joined)
        first.until("document.visibilityState === 'hidden'")
        for tab, other in ((first, second), (second, first), (first, second)):
            tab.show()
            other.until("document.visibilityState === 'hidden'")
            assert tab.run("document.visibilityState") == "visible"
            # Longer than a page may be hidden before its user counts as away.
            observed.bob.page.wait_for_timeout(3500)
        assert observed.news() == []
        for tab in (first, second):
            assert tab.run(joined)
        browser.open("about:blank")
        observed.bob.expect_person("ada", status="away")  # So the tabs were really hidden.
        second.show()
        observed.bob.expect_person("ada", status="online")


def test_a_minute_without_network_is_no_leave_and_a_frozen_minute_shows_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, board__idle_after_s=170))
        scene = Scene(browser, server, stack)
        stack.callback(scene.bob.context.close)
        network = scene.serve(BAR)
        ada, cyd = scene.visit(network), scene.embed(BAR.replace("ada", "cyd"))
        for page in (ada, cyd):
            page.expect_joined(3)
        scene.bob.expect_people("bob", "ada", "cyd")
        scene.news()
        lifecycle = cyd.context.new_cdp_session(cyd.page)
        lifecycle.send("Page.setWebLifecycleState", {"state": "frozen"})
        ada.context.set_offline(True)
        network.cut()
        scene.bob.page.wait_for_timeout(60_000)
        scene.bob.expect_person("ada", connected="false")
        lifecycle.send("Page.setWebLifecycleState", {"state": "active"})
        network.restore()
        ada.context.set_offline(False)
        scene.bob.expect_person("ada", connected="true")
        for page in (ada, cyd):
            page.expect_joined(3)
            page.expect_no_complaints()
        assert ada.run("bar => bar.client.status.resumed") is True
        assert cyd.sockets() == 1
        # Ada was grey meanwhile, and after the others. Nobody came or left.
        told = [(event["user_id"], event.get("connected")) for event in scene.news()]
        assert told == [("ada", False), ("ada", True)]
        expect_order(scene.bob, "bob ada cyd")


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
