"""``<presence-cursors>``: the same place in every window, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.cursors_kit import CANVAS, CURSORS, MODULE, expect_at, page_of, point
from tests.e2e.embedding_kit import Embedder, Scene

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def test_a_cursor_is_at_the_same_place_in_windows_of_other_sizes(scene: Scene) -> None:
    wide, narrow = page_of(scene, "ada", width=900), page_of(scene, "bob", width=400)
    point(wide, 0.25, 0.5)
    expect_at(narrow, "ada", 0.25, 0.5)
    point(narrow, 0.75, 0.1)
    expect_at(wide, "bob", 0.75, 0.1)
    # The page changes, and the cursors stay where they point.
    wide.page.evaluate(
        "document.body.style.paddingTop = '40px'; dispatchEvent(new Event('resize'))"
    )
    expect_at(wide, "bob", 0.75, 0.1)
    wide.page.set_viewport_size({"width": 600, "height": 400})
    expect_at(wide, "bob", 0.75, 0.1)
    assert wide.page.locator("[data-cursor-user=ada]").count() == 0
    narrow.page.mouse.move(1, 1)
    expect(wide.page.locator("[data-cursor-user=bob]")).to_have_count(0)
    for page in (wide, narrow):
        page.expect_no_complaints()


def test_with_scroll_a_cursor_is_at_the_same_content(scene: Scene) -> None:
    body = (
        "<div id=canvas style='height: 200px; overflow: auto'>"
        "<div style='width: 1500px; height: 1000px'></div></div>"
    )
    attributes = "for=canvas scrollable"
    ada = page_of(scene, "ada", width=900, body=body, attributes=attributes)
    bob = page_of(scene, "bob", width=500, body=body, attributes=attributes)
    ada.page.evaluate("document.querySelector('#canvas').scrollTo(300, 400)")
    point(ada, 0.1, 0.5)
    place = ada.page.evaluate(f"{CURSORS}.client.self?.cursor")
    ada.page.wait_for_function(f"() => {CURSORS}.client.self?.cursor !== null")
    place = ada.page.evaluate(f"{CURSORS}.client.self.cursor")
    bob.page.evaluate("document.querySelector('#canvas').scrollTo(200, 350)")
    bob.page.wait_for_function(
        f"""place => {{
            const view = {CURSORS}.shadowRoot.querySelector('[data-cursor-user=ada]');
            const box = document.querySelector('#canvas').getBoundingClientRect();
            const at = view?.getBoundingClientRect();
            const canvas = document.querySelector('#canvas');
            return at && Math.abs(at.left - box.left - (place.x * canvas.scrollWidth - 200)) < 2
                && Math.abs(at.top - box.top - (place.y * canvas.scrollHeight - 350)) < 2;
        }}""",
        arg=place,
    )


def test_a_cursor_in_another_space_is_not_drawn(scene: Scene) -> None:
    ada = page_of(scene, "ada", width=900)
    bob = page_of(scene, "bob", width=900, attributes="for=canvas space=other")
    point(ada, 0.5, 0.5)
    bob.page.wait_for_function(f"() => {CURSORS}.client.users.get('ada')?.cursor")
    bob.page.wait_for_timeout(100)
    assert bob.page.locator("[data-cursor-user=ada]").count() == 0
    bob.page.evaluate(f"{CURSORS}.setAttribute('space', 'canvas')")
    expect_at(bob, "ada", 0.5, 0.5)


def test_a_cursor_without_a_space_is_not_drawn(scene: Scene) -> None:
    ada = page_of(scene, "ada")
    # As a client does it that draws cursors by itself.
    bob = scene.embed("<presence-bar board=demo user-id=bob></presence-bar>")
    bob.expect_joined(2)
    bob.run("bar => bar.client.moveCursor(0.5, 0.5)")
    ada.page.wait_for_function(f"() => {CURSORS}.client.users.get('bob')?.cursor?.x === 0.5")
    ada.page.wait_for_timeout(100)
    assert ada.page.locator("[data-cursor-user=bob]").count() == 0
    bob.run("bar => bar.client.setPresence({ space: 'canvas' })")
    expect_at(ada, "bob", 0.5, 0.5)


@pytest.mark.parametrize(
    "style",
    [
        "transform: translate(30px, 20px) scale(0.5); transform-origin: 0 0",
        "zoom: 1.5",
        "contain: paint; margin-top: 40px",
    ],
)
def test_what_cursors_are_in_may_be_moved_and_scaled(scene: Scene, style: str) -> None:
    inside = (
        f"<div style='{style}'>{CANVAS}<presence-cursors {{}} for=canvas></presence-cursors></div>"
    )
    ada, bob = (
        scene.embed(MODULE + inside.format(f"board=demo user-id={user_id}"), width=width)
        for user_id, width in (("ada", 900), ("bob", 600))
    )
    for page in (ada, bob):
        page.page.wait_for_function(f"() => {CURSORS}?.client?.users.size === 2")
    point(ada, 0.25, 0.5)
    expect_at(bob, "ada", 0.25, 0.5)
    label = bob.page.locator("[data-cursor-user=ada] [part=label]").bounding_box()
    assert label is not None
    assert 18 < label["height"] < 26  # A cursor is as large as anywhere.


def test_cursors_stay_at_their_place_while_a_page_moves_the_element(scene: Scene) -> None:
    ada, bob = page_of(scene, "ada"), page_of(scene, "bob")
    point(ada, 0.25, 0.5)
    expect_at(bob, "ada", 0.25, 0.5)
    for style in ("transform: scale(0.5)", "transition: transform 0.2s; transform: scale(0.8)"):
        # No event tells of it.
        bob.page.evaluate(f"document.body.style.cssText += '; {style}'")
        expect_at(bob, "ada", 0.25, 0.5)
        bob.page.wait_for_function("() => document.getAnimations().length === 0")
        expect_at(bob, "ada", 0.25, 0.5)


def test_cursors_are_not_seen_where_the_element_is_not(scene: Scene) -> None:
    body = (
        "<div style='height: 60px'>A toolbar</div><div id=view style='height: 200px; "
        "overflow: auto'><div id=canvas style='width: 1500px; height: 1000px'></div></div>"
    )
    ada, bob = page_of(scene, "ada", body=body), page_of(scene, "bob", body=body)
    box = ada.page.locator("#view").bounding_box()
    assert box is not None
    ada.page.mouse.move(box["x"] + 100, box["y"] + 20)
    expect_at(bob, "ada", 100 / 1500, 20 / 1000)
    bob.page.evaluate("document.querySelector('#view').scrollTo(0, 50)")
    expect_at(bob, "ada", 100 / 1500, 20 / 1000)  # over the toolbar now
    cut = f"{CURSORS}.style.clipPath"
    bob.page.wait_for_function(f"() => {cut}.startsWith('inset(50px ')")
    assert bob.page.evaluate(cut).endswith(" 0px)")


def crowd_of_cursors(page: Embedder, count: int) -> None:
    """Add people who point at the canvas; all but the first are away."""
    page.page.evaluate(
        f"""count => {{
        const {{ self, users }} = {CURSORS}.client;
        for (let n = 0; n < count; n += 1) users.set(`u${{n}}`, {{
            ...self, user_id: `u${{n}}`, status: n ? 'away' : 'online',
            cursor: {{ x: n / 50, y: 0.5 }}, metadata: {{ presence: {{ space: 'canvas' }} }},
        }});
        dispatchEvent(new Event('resize'));
    }}""",
        count,
    )
    expect(page.page.locator("[part=label]")).to_have_count(count)


def test_of_a_crowd_only_those_who_move_show_a_name(scene: Scene) -> None:
    ada = page_of(scene, "ada")
    crowd_of_cursors(ada, 13)
    labels = ada.page.locator("[part=label]")
    expect(labels.nth(0)).to_be_visible()
    expect(labels.nth(1)).to_be_hidden()
    ada.page.evaluate(f"{CURSORS}.client.users.delete('u12'); dispatchEvent(new Event('resize'))")
    expect(labels.nth(1)).to_be_visible()


def test_a_frame_measures_the_page_as_often_for_many_cursors_as_for_one(scene: Scene) -> None:
    ada = page_of(scene, "ada")
    ada.page.evaluate("""() => {
        window.reads = 0;
        const real = Element.prototype.getBoundingClientRect;
        Element.prototype.getBoundingClientRect = function () {
            window.reads += 1;
            return real.call(this);
        };
        window.readsOfAFrame = () => new Promise(done => requestAnimationFrame(() => {
            window.reads = 0;
            dispatchEvent(new Event('resize'));
            requestAnimationFrame(() => requestAnimationFrame(() => done(window.reads)));
        }));
    }""")
    reads = []
    for count in (1, 40):
        crowd_of_cursors(ada, count)
        # The least of three: an event may ask for a frame of its own.
        reads.append(min(ada.page.evaluate("readsOfAFrame()") for _ in range(3)))
    assert reads[0] == reads[1] > 0


def test_from_right_to_left_a_cursor_is_at_the_same_content(scene: Scene) -> None:
    body = (
        "<div id=canvas dir=rtl style='height: 200px; overflow: auto'>"
        "<div id=mark style='width: 1500px; height: 1000px'></div></div>"
    )
    attributes = "for=canvas scrollable"
    ada = page_of(scene, "ada", width=900, body=body, attributes=attributes)
    bob = page_of(scene, "bob", width=500, body=body, attributes=attributes)
    ada.page.evaluate("document.querySelector('#canvas').scrollTo(-300, 400)")
    bob.page.evaluate("document.querySelector('#canvas').scrollTo(-600, 350)")
    point(ada, 0.5, 0.5)
    in_content = """place => {
        const mark = document.querySelector('#mark').getBoundingClientRect();
        return [place.left - mark.left, place.top - mark.top];
    }"""
    box = ada.page.locator("#canvas").bounding_box()
    assert box is not None
    middle = {"left": box["x"] + box["width"] / 2, "top": box["y"] + box["height"] / 2}
    across, down = ada.page.evaluate(in_content, middle)
    bob.page.wait_for_function(
        f"""([across, down]) => {{
            const view = {CURSORS}.shadowRoot.querySelector('[data-cursor-user=ada]');
            if (!view) return false;
            const at = ({in_content})(view.getBoundingClientRect());
            return Math.abs(at[0] - across) < 3 && Math.abs(at[1] - down) < 3;
        }}""",
        arg=[across, down],
    )


def test_the_element_may_come_later_than_its_cursors(scene: Scene) -> None:
    ada = page_of(scene, "ada", width=900, body="")
    bob = page_of(scene, "bob", width=900)
    point(bob, 0.5, 0.5)
    ada.page.wait_for_function(f"() => {CURSORS}.client.users.get('bob')?.cursor")
    ada.page.evaluate("""document.body.insertAdjacentHTML(
        'beforeend', "<div id=canvas style='height: 300px; margin: 20px'></div>")""")
    point(bob, 0.6, 0.5)
    expect_at(ada, "bob", 0.6, 0.5)


def test_a_cursor_that_rests_fades_and_one_of_an_absent_person_at_once(scene: Scene) -> None:
    ada, bob = page_of(scene, "ada", width=900), page_of(scene, "bob", width=900)
    point(ada, 0.5, 0.5)
    expect_at(bob, "ada", 0.5, 0.5)
    view = bob.page.locator("[data-cursor-user=ada]")
    expect(view).not_to_have_attribute("data-idle", "")
    ada.page.evaluate(f"{CURSORS}.client.setStatus('away')")
    expect(view).to_have_attribute("data-idle", "")
    ada.page.evaluate(f"{CURSORS}.client.setStatus('online')")
    point(ada, 0.4, 0.5)
    expect(view).not_to_have_attribute("data-idle", "")
    expect(view).to_have_attribute("data-idle", "")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_cursors_glide_unless_motion_is_unwelcome(scene: Scene, motion: str) -> None:
    ada, bob = page_of(scene, "ada", width=900), page_of(scene, "bob", width=900)
    bob.page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    point(ada, 0.1, 0.1)
    expect_at(bob, "ada", 0.1, 0.1)
    bob.page.evaluate(f"""() => {{
        window.places = new Set();
        const view = {CURSORS}.shadowRoot.querySelector('[data-cursor-user=ada]');
        new MutationObserver(() => places.add(view.style.transform))
            .observe(view, {{ attributes: true, attributeFilter: ['style'] }});
    }}""")
    point(ada, 0.9, 0.9)
    expect_at(bob, "ada", 0.9, 0.9)
    places = bob.page.evaluate("places.size")
    assert places == 1 if motion == "reduce" else places > 3


def test_bar_and_cursors_share_a_client_and_names_change_live(scene: Scene) -> None:
    bar = '<script type="module" src="/static/presence-bar.js"></script>'
    bar += "<presence-bar board=demo user-id=ada></presence-bar>"
    ada = page_of(scene, "ada", width=900, body=CANVAS + bar)
    bob = page_of(scene, "bob", width=900)
    assert ada.sockets() == 1
    point(bob, 0.5, 0.5)
    expect_at(ada, "bob", 0.5, 0.5)
    bob.page.evaluate(f"{CURSORS}.displayName = 'Robert'")
    expect(ada.page.locator("[data-cursor-user=bob]")).to_have_text("Robert")
    ada.page.evaluate(f"document.body.append({CURSORS})")
    expect_at(ada, "bob", 0.5, 0.5)
    assert ada.sockets() == 1
