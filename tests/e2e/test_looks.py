"""How the elements look and whether everybody can use them, in every state that they have.

The pictures are written to ``tests/e2e/screenshots``, for somebody to look at; axe-core looks
for what is not accessible.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests import programs
from tests.e2e.browser_kit import SHOWN_WITHIN_MS, ServerProcess
from tests.e2e.relay import PageRelay

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.axe]

HERE = Path(__file__).parent
PICTURES = HERE / "screenshots"
HTML = """<!doctype html>
<html lang="en" dir="{direction}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Every state</title>
<style>
  :root {{ color-scheme: light dark; font-size: {text_size}; }}
  body {{ margin: 0; padding: 0.5rem; background: Canvas; color: CanvasText; font-family: serif; }}
  section {{ padding: 4px 0; border-block-end: 1px solid GrayText; }}
  h1 {{ font-size: 1.125rem; }}
  h2 {{ margin: 0; font-size: 0.75rem; font-weight: 400; }}
</style>
<script type="module" src="/static/presence-bar.js"></script>
<script type="module" src="/static/presence-queue.js"></script>
<script type="module" src="/static/presence-debug.js"></script>
<script type="module">{script}</script>
<main><h1>Every state</h1></main>
</html>"""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">
<rect width="100%" height="100%" fill="#f59e0b"/><circle cx="50%" cy="45%" r="20%" fill="#fff"/>
</svg>"""

LOOKS: dict[str, dict[str, Any]] = {
    "light-1280": {},
    "dark-1280": {"color_scheme": "dark"},
    "light-320": {"width": 320},
    "dark-320": {"width": 320, "color_scheme": "dark"},
    "forced-colors": {"forced_colors": "active"},
    "forced-colors-dark": {"forced_colors": "active", "color_scheme": "dark"},
    "right-to-left": {"direction": "rtl"},
    "zoom-200": {"width": 640, "device_scale_factor": 2},
    "text-200": {"text_size": "200%"},
}
"""How the page is seen."""


def huge_png() -> bytes:
    """A picture of 5000 by 5000 pixels, which takes few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    size = 5000
    head = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xf0" * (size // 8)) * size, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def serve_picture(route: Route) -> None:
    """Good, broken and huge pictures; a slow one never comes."""
    name = route.request.url.rsplit("/", 1)[1]
    if name == "slow.png":
        return
    bodies: dict[str, tuple[str, str | bytes]] = {
        "good.svg": ("image/svg+xml", SVG.format(width=80, height=80)),
        "wide.svg": ("image/svg+xml", SVG.format(width=300, height=40)),
        "huge.png": ("image/png", huge_png()),
        "text.html": ("text/html", "no picture"),
    }
    if name not in bodies:
        route.fulfill(status=404, body="")
        return
    content_type, body = bodies[name]
    route.fulfill(content_type=content_type, body=body)


class Gallery:
    """The page with every state, as one kind of reader sees it."""

    def __init__(self, page: Page, name: str, axe: Path | None) -> None:
        self.page = page
        self._has_axe = axe is not None
        if axe is not None:
            script = axe / "node_modules" / "axe-core" / "axe.min.js"
            page.evaluate(script.read_text(encoding="utf-8"))
        self._folder = PICTURES / name
        self._folder.mkdir(parents=True, exist_ok=True)
        self.violations: list[str] = []

    def settle(self) -> None:
        """Let what was asked for be drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def scroll_through(self) -> None:
        """Bring everything into view once: images load when they come near the window."""
        for top in range(0, self.page.evaluate("document.documentElement.scrollHeight"), 600):
            self.page.evaluate(f"scrollTo(0, {top})")
            self.settle()
        self.page.evaluate("scrollTo(0, 0)")

    def look(self, state: str, within: list[str] | None = None) -> None:
        """Take a picture, and note what is not accessible.

        Args:
            state: its name.
            within: the selectors that lead to what has just opened; None for the whole page.
        """
        self.settle()
        self.page.screenshot(path=self._folder / f"{state}.png", full_page=within is None)
        if not self._has_axe:
            return
        found = self.page.evaluate(
            """within => axe.run(
                within ? { fromShadowDom: within } : document,
                { resultTypes: ['violations'], elementRef: false },
            )""",
            within,
        )
        for violation in found["violations"]:
            for node in violation["nodes"]:
                self.violations.append(
                    f"{state}: {violation['id']}: {node['target']}: {node['failureSummary']}"
                )

    def keep(self, *sections: str) -> None:
        """Take the other sections away: axe-core looks through the whole page each time."""
        self.page.evaluate(
            """kept => {
            for (const section of document.querySelectorAll('section')) {
                if (!kept.includes(section.id)) section.remove();
            }
        }""",
            list(sections),
        )

    def in_bar(self, section: str, selector: str) -> Any:
        return self.page.locator(f"#{section} presence-bar {selector}")


@pytest.fixture(params=LOOKS, ids=str)
def gallery(
    request: pytest.FixtureRequest, browser: Browser, shared_server: ServerProcess
) -> Iterator[Gallery]:
    look = dict(LOOKS[request.param])
    html = HTML.format(
        direction=look.pop("direction", "ltr"),
        text_size=look.pop("text_size", "100%"),
        script=(HERE / "looks.js").read_text(encoding="utf-8"),
    )
    viewport = {"width": look.pop("width", 1280), "height": 720}
    with PageRelay(shared_server.url, html) as relay:
        context = browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            **look,
        )
        page = context.new_page()
        page.set_default_timeout(SHOWN_WITHIN_MS)
        page.route("https://pictures.example/*", serve_picture)
        page.goto(relay.page_url)
        yield Gallery(page, request.param, programs.axe_packages())
        context.close()


def test_every_state_is_drawn_and_accessible(gallery: Gallery) -> None:
    page = gallery.page
    page.wait_for_function("() => window.built")
    gallery.scroll_through()
    page.wait_for_function("() => window.isLoaded()")
    gallery.look("states")
    gallery.keep("people-5", "people-100", "badges", "names-long", "arabic")

    more = gallery.in_bar("people-100", ".bar .more")
    more.click()
    gallery.in_bar("people-100", ".list").wait_for()
    gallery.look("list-100", ["#people-100 presence-bar", ".list"])
    page.keyboard.type("grace")
    gallery.in_bar("people-100", ".list li:not([hidden])").nth(1).wait_for()
    gallery.look("list-search", ["#people-100 presence-bar", ".head"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    gallery.in_bar("people-100", ".list .card").wait_for()
    gallery.look("list-card", ["#people-100 presence-bar", ".card"])
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    gallery.in_bar("people-5", ".person button").nth(1).click()
    gallery.in_bar("people-5", ".card").wait_for()
    gallery.look("card", ["#people-5 presence-bar", ".card"])
    page.keyboard.press("Escape")
    gallery.in_bar("badges", ".person button").nth(1).click()
    gallery.in_bar("badges", ".card").wait_for()
    gallery.look("card-badges", ["#badges presence-bar", ".card"])
    page.keyboard.press("Escape")
    gallery.in_bar("names-long", ".person").nth(1).hover()
    gallery.in_bar("names-long", ".tip").wait_for()
    gallery.look("tip", ["#names-long presence-bar", ".tip"])
    gallery.in_bar("arabic", ".bar .more").click()
    gallery.in_bar("arabic", ".list").wait_for()
    gallery.look("list-arabic", ["#arabic presence-bar", ".list"])
    assert gallery.violations == []


@pytest.mark.parametrize("width", [1280, 320])
def test_the_demo_board_is_accessible(
    browser: Browser, shared_server: ServerProcess, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 720}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(shared_server.board("looks", user_id="ada", display_name="Ada"))
    page.wait_for_function("() => window.presence?.users.size > 0")
    gallery = Gallery(page, f"demo-{width}", programs.axe_packages())
    # The note that has the focus shows its tools, too.
    page.get_by_role("button", name="Add a note").click()
    page.keyboard.type("Ship it")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        gallery.look(f"joined-{scheme}")
    page.get_by_test_id("leave-button").click()
    page.get_by_test_id("left-screen").wait_for()
    gallery.look("left")
    context.close()
    assert gallery.violations == []
