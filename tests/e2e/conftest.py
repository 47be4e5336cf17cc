"""One browser, and one server for the pages that embed elements: each test has its own board.

They live as long as a module: while Playwright runs, no other event loop runs in its thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.e2e.browser_kit import ServerProcess, launch, serving
from tests.e2e.embedding_kit import Scene


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
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server"), board__leave_grace_s=8) as started:
        yield started


@pytest.fixture
def scene(browser: Browser, shared_server: ServerProcess) -> Iterator[Scene]:
    with ExitStack() as stack:
        scene = Scene(browser, shared_server, stack)
        yield scene
        if "bob" in scene.__dict__:
            scene.bob.context.close()


@pytest.fixture
def observed(scene: Scene) -> Scene:
    """A scene whose observer is there already."""
    scene.bob.expect_people("bob")
    return scene
