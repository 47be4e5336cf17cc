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
