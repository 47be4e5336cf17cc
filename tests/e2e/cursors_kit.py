"""Pages with cursors over an element, and what can be said about them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.e2e.embedding_kit import Embedder, Scene

CURSORS = "document.querySelector('presence-cursors')"
MODULE = '<script type="module" src="/static/presence-cursors.js"></script>'
CANVAS = "<div id=canvas style='height: 300px; margin: 20px'></div>"
PATIENT = """(() => {
    const { setTimeout } = window;
    window.setTimeout = (call, ms, ...more) => setTimeout(call, ms >= 5000 ? 20 * ms : ms, ...more);
})();"""
"""Makes a page wait long before it ends something by itself: the machine may be slow."""


def page_of(
    scene: Scene,
    user_id: str,
    *,
    width: int = 900,
    body: str = CANVAS,
    attributes: str = "for=canvas",
    scripts: Iterable[str] = (),
) -> Embedder:
    """Somebody at a page with cursors over an element, in a window of this width."""
    tag = f"<presence-cursors board=demo user-id={user_id} {attributes}></presence-cursors>"
    page = scene.embed(f"{MODULE}{body}{tag}", width=width, scripts=scripts)
    page.page.wait_for_function(f"() => {CURSORS}?.client?.state === 'joined'")
    return page


def point(page: Embedder, across: float, down: float, target: str = "#canvas") -> None:
    box = page.page.locator(target).bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def expect_at(page: Embedder, user_id: str, across: float, down: float) -> None:
    """Somebody's cursor comes to rest at these fractions of the element."""
    page.page.wait_for_function(
        f"""([userId, across, down]) => {{
            const view = {CURSORS}.shadowRoot.querySelector(`[data-cursor-user="${{userId}}"]`);
            const box = document.querySelector('#canvas').getBoundingClientRect();
            const at = view?.getBoundingClientRect();
            return at && Math.abs(at.left - box.left - across * box.width) < 2
                && Math.abs(at.top - box.top - down * box.height) < 2;
        }}""",
        arg=[user_id, across, down],
    )
