"""The examples of docs/examples, built by Vite with the npm package, in a real browser."""

from __future__ import annotations

import itertools
import re
import urllib.parse
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser_kit import Person, ServerProcess, serving
from tests.e2e.embedding_kit import ABOUT_SOMEBODY, Embedder
from tests.e2e.npm_kit import Workshop, serving_files, workshop

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.npm, pytest.mark.yjs]

FRAMEWORKS = ("react", "vue", "svelte")
SEATS = 3

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop(tmp_path_factory)


@pytest.fixture(scope="module")
def files(built: Workshop) -> Iterator[str]:
    with serving_files(built.folder) as address:
        yield address


@pytest.fixture(scope="module")
def server(files: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, board__capacity=SEATS, auth__allowed_origins=[files]) as started:
        yield started


class Place:
    """A board that a test has alone, with an observer, and pages of an example."""

    def __init__(self, browser: Browser, server: ServerProcess, files: str, board: str) -> None:
        self.browser = browser
        self.server = server
        self.files = files
        self.board = board
        self.bob = Person.at(browser, server, "Bob", board)
        self.bob.expect_people("bob")
        self._seen = 0

    def open(self, example: str, user_id: str = "ada", name: str = "Ada") -> Embedder:
        """Open an example at this board."""
        query = {"server": self.server.url, "board": self.board, "user": user_id, "name": name}
        address = f"{self.files}/{example}/dist/index.html?{urllib.parse.urlencode(query)}"
        return Embedder(self.browser.new_context(viewport={"width": 900, "height": 600}), address)

    def news(self) -> list[str]:
        """What the observer was sent about others since the last time."""
        self.bob.told()
        about = (*ABOUT_SOMEBODY, "user:updated")
        told = [event["type"] for event in self.bob.events if event["type"] in about]
        news, self._seen = told[self._seen :], len(told)
        return news


@pytest.fixture
def place(browser: Browser, server: ServerProcess, files: str) -> Iterator[Place]:
    place = Place(browser, server, files, f"board-{next(_numbers)}")
    yield place
    for context in browser.contexts:
        context.close()


def expect_text(person: Person, test_id: str, text: str) -> None:
    expect(person.page.get_by_test_id(test_id)).to_have_text(text)


def test_the_typescript_example_shows_the_others(place: Place) -> None:
    ada = place.open("typescript")
    expect(ada.page.locator("#others")).to_have_text("Bob")
    ada.expect_people("ada", "bob")
    place.bob.expect_people("ada", "bob")
    ada.expect_no_complaints()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_hooks_and_elements_share_one_client_also_when_they_are_mounted_again(
    place: Place, framework: str
) -> None:
    ada = place.open(framework)
    expect_text(ada, "self", "Ada")
    expect_text(ada, "others", "Bob")
    ada.expect_people("ada", "bob")
    place.bob.expect_people("ada", "bob")
    # React has mounted it twice by now, as it does in StrictMode.
    assert place.news() == ["user:joined"]
    for _ in range(3):
        ada.page.get_by_role("button", name="Mount again").click()
        expect_text(ada, "others", "Bob")
    ada.page.wait_for_timeout(1500)  # longer than a client waits before it leaves
    assert place.news() == []
    assert ada.sockets() == 1
    place.bob.rename("Robert")
    expect_text(ada, "others", "Robert")
    place.bob.leave()
    expect_text(ada, "others", "")
    ada.expect_no_complaints()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_name_and_the_board_may_change(place: Place, framework: str) -> None:
    ada = place.open(framework)
    place.bob.expect_people("ada", "bob")
    place.news()
    ada.page.get_by_label("Your name").fill("Countess")
    expect_text(ada, "self", "Countess")
    ada_at_bobs = place.bob.page.locator("[data-user-id=ada]").get_by_role("button")
    expect(ada_at_bobs).to_have_accessible_name(re.compile("Countess"))
    assert set(place.news()) == {"user:updated"}
    ada.page.get_by_role("button", name="Another board").click()
    expect_text(ada, "others", "")
    place.bob.expect_people("bob")
    expect_text(ada, "self", "Countess")
    ada.expect_no_complaints()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_somebody_who_waits_sees_the_place_in_the_queue(place: Place, framework: str) -> None:
    for user_id in ("eve", "zed"):
        place.open("typescript", user_id, user_id)
    place.bob.expect_people("bob", "eve", "zed")
    ada = place.open(framework)
    expect_text(ada, "queue", "You are number 1 of 1")
    place.bob.leave()
    expect_text(ada, "self", "Ada")
    expect(ada.page.get_by_test_id("queue")).to_have_count(0)
    ada.expect_no_complaints()
