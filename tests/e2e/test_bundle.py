"""The bundle in a page, in a real browser."""

from __future__ import annotations

import pytest

from tests.e2e.embedding_kit import Scene

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


def test_a_browser_that_refuses_the_names_of_states_shows_people_all_the_same(
    observed: Scene,
) -> None:
    # As Chrome did before version 125.
    old = "CustomStateSet.prototype.add = () => { throw new SyntaxError('no dashes'); };"
    ada = observed.embed("<presence-bar board=demo user-id=ada></presence-bar>", scripts=[old])
    ada.expect_joined(2)
    assert ada.run("bar => bar.dataset.state") == "joined"
    ada.expect_no_complaints()
