"""The bundle in a page, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.cursors_kit import CURSORS, point
from tests.e2e.embedding_kit import Scene
from tests.e2e.test_bar import open_list

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PAGE = """<div id="canvas" style="height: 200px"></div>
<presence-bar board="demo" user-id="ada"></presence-bar>
<presence-queue board="demo" user-id="ada"></presence-queue>
<presence-cursors board="demo" user-id="ada" for="canvas"></presence-cursors>"""


def test_one_script_brings_the_client_and_every_element(observed: Scene) -> None:
    script = '<script type="module" src="/static/dist/presence.js"></script>'
    ada = observed.embed(script + PAGE, with_bar=False)
    ada.expect_joined(2)
    assert ada.sockets() == 1
    assert ada.page.evaluate(
        "import('/static/dist/presence.js').then(({ PresenceClient }) =>"
        " document.querySelector('presence-bar').client instanceof PresenceClient)"
    )
    loaded = "performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)"
    scripts = {path for path in ada.page.evaluate(loaded) if path.endswith(".js")}
    assert scripts == {"/static/dist/presence.js"}
    ada.expect_no_complaints()


def test_a_bad_call_throws_and_takes_nothing_else_with_it(observed: Scene) -> None:
    ada = observed.embed("")
    told = ada.page.evaluate(
        """async board => {
        const { PresenceClient } = await import('/static/dist/presence.js');
        const thrown = [];
        const attempt = call => { try { call(); } catch (error) { thrown.push(error.name); } };
        attempt(() => new PresenceClient({ board: undefined }));
        const client = new PresenceClient({ board, userId: 'ada', colour: 'red' });
        client.setMetadata({ tool: 'pen' });
        client.setStatus('away');
        attempt(() => client.moveCursor(NaN, 1));
        attempt(() => client.setStatus('busy'));
        attempt(() => client.setMetadata({ text: 'x'.repeat(3000) }));
        client.connect();
        return thrown;
    }""",
        observed.board,
    )
    assert told == ["TypeError", "TypeError", "TypeError", "RangeError"]
    observed.bob.expect_person("ada", status="away")
    metadata = "() => presence.users.get('ada').metadata?.tool === 'pen'"
    observed.bob.page.wait_for_function(metadata)
    assert [line for line in ada.warnings if "colour" in line]
    ada.expect_no_complaints()


STRICT = (
    "Content-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEAR_VIOLATIONS = """
    window.violations = [];
    addEventListener('securitypolicyviolation', event => violations.push(
        `${event.violatedDirective} ${event.sourceFile}:${event.lineNumber}`));
"""
QUEUED = """() => {
    const status = { state: 'queued', position: 1, queueLength: 2, capacity: 1 };
    const client = { state: 'queued', status, users: new Map(), userId: null, serverTime: 0 };
    document.querySelector('presence-queue').client = Object.assign(new EventTarget(), client);
}"""


def test_everything_works_under_the_strictest_policy(scene: Scene) -> None:
    body = """<script type="module" src="/static/dist/presence.js"></script>
        <script type="module" src="/static/presence-debug.js"></script>
        <canvas id="canvas" width="300" height="150"></canvas>
        <presence-bar board="demo" user-id="ada" keep-left="60"></presence-bar>
        <presence-queue notify=""></presence-queue>
        <presence-debug board="demo" user-id="ada"></presence-debug>
        <presence-cursors board="demo" user-id="ada" for="canvas"></presence-cursors>"""
    ada = scene.embed(body, STRICT, with_bar=False, scripts=[HEAR_VIOLATIONS])
    ada.expect_joined(1)
    ada.run("bar => bar.client.setPresence({ hand: true })")
    ada.page.locator("presence-bar .badge").wait_for()
    open_list(ada)
    ada.page.keyboard.press("Enter")
    ada.page.get_by_role("button", name="Bring everyone to me").click()
    ada.page.get_by_test_id("presence-followers").wait_for()
    point(ada, 0.5, 0.5)
    ada.page.keyboard.press("Escape")
    ada.page.evaluate(f"{CURSORS}.chat()")
    expect(ada.page.get_by_role("textbox", name="Say something")).to_be_focused()
    ada.page.evaluate(QUEUED)
    expect(ada.page.get_by_test_id("queue-position")).to_have_text(
        "You are number 1 of 2 in the queue"
    )
    expect(ada.page.locator("presence-debug [data-fact=state]")).to_have_text("joined")
    # The page itself has a style attribute.
    assert ada.page.evaluate("violations.filter(each => !each.includes('/embed:'))") == []
    ada.expect_no_complaints()


def test_a_browser_that_refuses_the_names_of_states_shows_people_all_the_same(
    observed: Scene,
) -> None:
    # As Chrome did before version 125.
    old = "CustomStateSet.prototype.add = () => { throw new SyntaxError('no dashes'); };"
    ada = observed.embed("<presence-bar board=demo user-id=ada></presence-bar>", scripts=[old])
    ada.expect_joined(2)
    assert ada.run("bar => bar.dataset.state") == "joined"
    ada.expect_no_complaints()
