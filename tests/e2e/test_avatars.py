"""Which images of people a page loads, and when, in a real browser."""

from __future__ import annotations

import pytest

from tests.e2e.embedding_kit import Embedder, Scene, crowd

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

ELSEWHERE = "http://localhost:1/a.png"


def give_avatars(embedder: Embedder, *addresses: str) -> None:
    """Give the people of a crowd these avatars, from the page's server unless they have a host."""
    embedder.page.evaluate(
        """addresses => {
        const bar = document.querySelector('presence-bar');
        const { users } = bar.client;
        [...users.values()].forEach((user, n) => {
            const avatar_url = new URL(addresses[n % addresses.length], location.href).href;
            users.set(user.user_id, { ...user, avatar_url: `${avatar_url}?${n}` });
        });
        bar.client.dispatchEvent(new CustomEvent('users', { detail: { kind: 'snapshot' } }));
        return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    }""",
        list(addresses),
    )


@pytest.mark.parametrize(
    ("attribute", "own", "others"),
    [("", 1, 1), ("avatars=on", 1, 1), ("avatars=same-origin", 1, 0), ("avatars=off", 0, 0)],
)
def test_a_page_says_which_images_it_loads(
    scene: Scene, attribute: str, own: int, others: int
) -> None:
    page = scene.embed(f"<presence-bar {attribute}></presence-bar>")
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    crowd(page, 2)
    give_avatars(page, "/static/favicon.svg", ELSEWHERE)
    page.until(f"bar.shadowRoot.querySelectorAll('.people img:not(.loading)').length === {own}")
    assert sum("favicon.svg?" in url for url in asked) == own
    assert sum(url.startswith(ELSEWHERE) for url in asked) == others
    initials = page.run("bar => bar.shadowRoot.querySelectorAll('.people [data-initials]').length")
    assert initials == 2 - own  # What does not come shows its initials.
    page.run("bar => bar.setAttribute('avatars', 'off')")
    page.until("bar.shadowRoot.querySelectorAll('.people img').length === 0")


def test_images_out_of_view_are_not_loaded(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    asked: set[str] = set()
    page.page.on("request", lambda request: asked.add(request.url))
    crowd(page, 100)
    give_avatars(page, "/static/favicon.svg")
    page.page.get_by_test_id("presence-overflow").click()
    page.until("bar.shadowRoot.querySelectorAll('[role=dialog] img:not(.loading)').length > 0")
    page.page.wait_for_load_state("networkidle")
    loaded = sum("favicon.svg?" in url for url in asked)
    assert 5 < loaded < 100
