"""What people call themselves, as others see it in a real browser: text, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from tests.e2e.browser_kit import Person, ServerProcess, launch, serving

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

MARK = "INJECTED-LINE"
UNPRINTABLE = re.compile("[\\x00-\\x1f\u200f\u202e\u2066\u2069]+")
WITNESSES = """
    window.reports = [];
    window.fired = () => window.reports.push('script ran');
    for (const name of ['alert', 'confirm', 'prompt']) window[name] = window.fired;
    document.addEventListener('securitypolicyviolation', (event) =>
        window.reports.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
PROFILES: dict[str, dict[str, str]] = {
    "script": {"display_name": "<script>fired()</script>"},
    "image": {"display_name": "<img src=x onerror=fired()>"},
    "svg": {"display_name": "<svg/onload=fired()>"},
    "attribute": {"display_name": '" onmouseover="fired()" autofocus onfocus="fired()'},
    "template": {"display_name": "${fired()}{{fired()}}<%= fired() %>"},
    "closing": {"display_name": "</span></li></template><script>fired()</script>"},
    "crlf": {"display_name": f"a\r\nX-Evil: 1\r\n\r\n{MARK}\n"},
    "escape": {"display_name": f"a\x1b[2J\x1b]0;{MARK}\x07\x00"},
    "bidi": {"display_name": "\u202eevil\u2066\u2069\u200f"},
    "long": {"display_name": "W" * 10_000},
    "joiners": {"display_name": "e" + "\u0301" * 2000},
    "javascript": {"avatar_url": "javascript:fired()"},
    "data": {"avatar_url": "data:text/html,<script>fired()</script>"},
    "quoted": {"avatar_url": 'https://127.0.0.1:1/"onerror="fired()'},
    "relative": {"avatar_url": "//127.0.0.1:1/x.svg"},
    "colour": {"color": "red;background:url(javascript:fired())"},
    'id"><script>fired()</script>': {},
    "id' onclick='fired()": {},
    f"id\r\n{MARK}": {},
    "../../id": {},
    "__proto__": {"display_name": "__proto__"},
    "constructor": {"display_name": "constructor"},
}
"""By user_id."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


def come(browser: Browser, server: ServerProcess, user_id: str, **profile: str) -> Person:
    """Somebody whose page reports what it should not have had to."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WITNESSES)
    return Person(context, server.board("demo", user_id=user_id, **profile))


def join_many(page: Page, address: str) -> list[dict[str, Any]]:
    """Everybody of PROFILES over sockets of the page; the user objects of the last snapshot."""
    queries = [{"user_id": user_id, **profile} for user_id, profile in PROFILES.items()]
    found: list[dict[str, Any]] = page.evaluate(
        """async ([address, queries]) => {
            let users = [];
            for (const query of queries) {
                const socket = new WebSocket(`${address}?${new URLSearchParams(query)}`);
                users = await new Promise((resolve, reject) => {
                    socket.onmessage = ({ data }) => {
                        const { type, payload } = JSON.parse(data);
                        if (type === 'board:joined') resolve(payload.current_users);
                    };
                    socket.onclose = reject;
                });
                socket.onmessage = null;
                socket.send(JSON.stringify({ type: 'presence:update',
                    payload: { cursor: { x: 800, y: 400 }, status: 'online' } }));
            }
            return users;
        }""",
        [address, queries],
    )
    return found


def open_everything(person: Person) -> None:
    """Make the page show every name it can: the bar, the list behind it, cursors, titles."""
    page = person.page
    for entry in page.get_by_test_id("presence-user").all()[:5]:
        entry.hover(force=True)
    overflow = page.get_by_test_id("presence-overflow")
    if overflow.count() and overflow.first.is_visible():
        overflow.first.click()


def test_hostile_profiles_are_text_in_every_browser_and_in_no_log(
    browser: Browser, tmp_path: Path
) -> None:
    dialogs: list[str] = []
    with serving(tmp_path, logging__level="debug", limits__messages_per_s=1000) as server:
        watcher = come(browser, server, "watcher")
        page = watcher.page

        def on_dialog(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", on_dialog)
        console: list[str] = []
        page.on("console", lambda message: console.append(message.text))
        watcher.expect_state("live")
        socket = server.url.replace("http", "ws") + "/ws/boards/demo"
        users = {user["user_id"]: user for user in join_many(page, socket)}
        page.wait_for_function("(count) => presence.users.size === count", arg=len(PROFILES) + 1)
        open_everything(watcher)
        late = come(browser, server, "<b>late</b>", display_name="<img src=x onerror=fired()>")
        late.expect_state("live")
        open_everything(late)
        for person in (watcher, late):
            shown = person.page
            assert shown.evaluate("window.reports") == []
            assert (
                shown.evaluate(
                    "document.querySelectorAll('script:not([src]), svg[onload], [onerror]').length"
                )
                == 0
            )
            person.expect_no_complaints()
        assert_profiles_are_clean(users)
        assert [text for text in console if "Content Security Policy" in text] == []
        for person in (watcher, late):
            person.context.close()
    assert dialogs == []
    assert_nothing_is_logged((tmp_path / "server.log").read_text())


def assert_profiles_are_clean(users: dict[str, dict[str, Any]]) -> None:
    assert users["script"]["display_name"] == "<script>fired()</script>"
    for user_id, user in users.items():
        name = user["display_name"]
        assert 1 <= len(name) <= 80, user_id
        assert name.isprintable() or user_id == "joiners", user_id
        assert not set(name) & set("\r\n\x1b\x00\u202e\u2066\u2069\u200f"), user_id
        assert user["avatar_url"] is None, user_id
        assert len(user["color"]) == 7, user_id


def assert_nothing_is_logged(log: str) -> None:
    assert log.count('"session connected"') > len(PROFILES), "the level is debug"
    # As it is written and as it is meant: JSON escapes what is not ASCII.
    meant = "\n".join(str(v) for line in log.splitlines() for v in json.loads(line).values())
    assert [part for part in telltales() if part in log or part in meant] == []


def telltales() -> list[str]:
    """Parts of the profiles that nobody else would write, cleaned or not."""
    texts = [text for user_id, profile in PROFILES.items() for text in (user_id, *profile.values())]
    parts = [part[:20] for text in texts for part in UNPRINTABLE.split(text)]
    odd = [part for part in parts if len(part) > 3 and not (part.isalpha() and len(part) < 12)]
    assert len(odd) >= len(PROFILES) - 3, "of all but a few"
    return [*odd, MARK, "fired()", "\u0301" * 5, "<b>late"]
