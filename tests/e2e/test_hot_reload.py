"""An application under development: Vite replaces a module of a page that is open."""

from __future__ import annotations

import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser_kit import Person, serving
from tests.e2e.embedding_kit import Embedder
from tests.e2e.npm_kit import workshop

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.npm, pytest.mark.yjs]

SCRIPT = Path(__file__).parent / "npm" / "development.mjs"


@contextmanager
def developing(folder: Path) -> Iterator[str]:
    """Vite's development server for an application; its address."""
    script = folder / "development.mjs"  # Beside the application, where Vite is found.
    script.write_text(SCRIPT.read_text())
    command = ["node", str(script), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().rstrip("/")
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def test_a_module_that_is_replaced_shows_the_others_nothing(
    browser: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = workshop(tmp_path_factory).folder / "react"
    page = folder / "src" / "Page.tsx"
    with developing(folder) as vite, serving(tmp_path, auth__allowed_origins=[vite]) as server:
        bob = Person.at(browser, server, "Bob")
        query = {"server": server.url, "board": "demo", "user": "ada"}
        context = browser.new_context()
        ada = Embedder(context, f"{vite}/?{urllib.parse.urlencode(query)}")
        expect(ada.page.get_by_test_id("others")).to_have_text("Bob")
        bob.expect_people("ada", "bob")
        ada.page.evaluate("window.sameDocument = true")
        before = len(bob.told("user:joined", "user:left", "presence:update"))
        page.write_text(page.read_text().replace("My page", "Our page"))
        expect(ada.page.get_by_role("heading")).to_have_text("Our page")
        expect(ada.page.get_by_test_id("others")).to_have_text("Bob")
        ada.page.wait_for_timeout(1500)  # longer than a client waits before it leaves
        assert ada.page.evaluate("window.sameDocument")
        assert len(bob.told("user:joined", "user:left", "presence:update")) == before
        # Vite has a socket of its own.
        ours = "window.sockets.filter(socket => socket.url.includes('/ws/boards/')).length"
        assert ada.page.evaluate(ours) == 1
        ada.expect_no_complaints()
        context.close()
        bob.context.close()
