"""The code on the page about browsers runs, in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.docs.documents import Document
from tests.e2e.embedding_kit import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

SERVER = "https://presence.example"
PAGE = Document("browser.md")
# Without a bundler a browser finds no module by a bare name.
SCRIPTS = [
    code for code in PAGE.code("js") if not re.search(r"from '[a-z]", code.replace(SERVER, "/"))
]


def test_there_is_code() -> None:
    assert len(PAGE.code("html")) >= 2
    assert len(SCRIPTS) >= 4


def test_the_html_shows_who_is_there(observed: Scene) -> None:
    html = "".join(PAGE.code("html")).replace(SERVER, "")
    ada = observed.embed(html, with_bar=False)
    ada.expect_joined(2)
    assert ada.sockets() == 1
    ada.expect_no_complaints()


def test_the_scripts_run(observed: Scene) -> None:
    names = "window.draw = () => {}; window.show = () => {};"
    eve = observed.embed("<presence-bar board=demo user-id=eve></presence-bar>", scripts=[names])
    eve.expect_joined(2)
    for number, code in enumerate(SCRIPTS):
        script = code.replace(SERVER, "").replace("'demo'", f"'{observed.board}'")
        bar = "const bar = document.querySelector('presence-bar');\n"
        over = f"\nwindow.isOver = {number};"
        eve.page.add_script_tag(content=bar + script + over, type="module")
        eve.page.wait_for_function(f"() => window.isOver === {number}")
    eve.expect_joined(3)
    eve.expect_no_complaints()
    assert eve.warnings == []
