"""Chat at cursors, following people and "bring everyone to me", in a real browser."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import programs
from tests.e2e.cursors_kit import CANVAS, CURSORS, MODULE, PATIENT, expect_at, page_of, point
from tests.e2e.embedding_kit import Embedder, Scene

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

SHOTS = Path(__file__).parent / "screenshots" / "company"
TALL = (
    "<div id=canvas style='height: 200px; overflow: auto'>"
    "<div style='width: 1500px; height: 2000px'></div></div>"
)
PAGE = "<div id=canvas style='height: 3000px; margin: 20px'></div>"
SCROLLS = "for=canvas scrollable"


def at(scene: Scene, user_id: str, **more: Any) -> Embedder:
    """Somebody at a page that ends nothing by itself while a test looks at it."""
    return page_of(scene, user_id, scripts=[PATIENT], **more)


def saying(page: Embedder, user_id: str) -> str:
    return f"[data-cursor-user={user_id}] [data-testid=presence-saying]"


def says(page: Embedder, user_id: str, text: str) -> None:
    """Somebody's cursor says this."""
    expect(page.page.locator(saying(page, user_id))).to_have_text(text)


def presence(page: Embedder, name: str) -> object:
    """A field that the page's own user says under the key ``presence``."""
    return page.page.evaluate(f"{CURSORS}.client.self?.metadata?.presence?.{name} ?? null")


def until(page: Embedder, condition: str) -> None:
    """Wait for an expression about ``cursors``, the page's element."""
    page.page.wait_for_function(f"() => {{ const cursors = {CURSORS}; return {condition}; }}")


def follow(page: Embedder, user_id: str) -> None:
    page.page.evaluate(f"{CURSORS}.follow('{user_id}')")
    until(page, f"cursors.following === '{user_id}'")


def scroll(page: Embedder, top: int, target: str = "#canvas") -> None:
    page.page.evaluate(f"document.querySelector('{target}').scrollTo(0, {top})")


def expect_scrolled(page: Embedder, top: int) -> None:
    """The canvas comes to rest within two pixels of this."""
    page.page.wait_for_function(
        "top => Math.abs(document.querySelector('#canvas').scrollTop - top) <= 2", arg=top
    )


def two_who_scroll(scene: Scene) -> tuple[Embedder, Embedder]:
    ada, bob = (at(scene, name, body=TALL, attributes=SCROLLS) for name in ("ada", "bob"))
    until(ada, "cursors.client.users.size === 2")
    until(bob, "cursors.client.users.size === 2")
    return ada, bob


def inaccessible(page: Embedder, part: str) -> list[str]:
    """What axe-core finds in a part of the element."""
    packages = programs.axe_packages()
    assert packages is not None
    script = packages / "node_modules" / "axe-core" / "axe.min.js"
    page.page.evaluate(script.read_text(encoding="utf-8"))
    found = page.page.evaluate(
        """part => axe.run(
            { fromShadowDom: ['presence-cursors', part] },
            { resultTypes: ['violations'], elementRef: false },
        )""",
        part,
    )
    return [
        f"{violation['id']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


# --- chat -----------------------------------------------------------------------


def test_a_slash_opens_a_field_at_the_cursor_and_the_others_read_along(scene: Scene) -> None:
    ada, bob = at(scene, "ada"), at(scene, "bob")
    point(ada, 0.25, 0.5)
    expect_at(bob, "ada", 0.25, 0.5)
    ada.page.keyboard.press("/")
    field = ada.page.get_by_role("textbox", name="Say something")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    ada.page.keyboard.type("look / here")
    says(bob, "ada", "look / here")
    expect(bob.page.locator("[data-cursor-user=ada]")).to_have_attribute("data-chat", "")
    # It goes where the cursor goes, and stays when that leaves the element.
    places = []
    for across in (0.25, 0.5):
        point(ada, across, 0.5)
        expect_at(bob, "ada", across, 0.5)
        box = field.bounding_box()
        assert box is not None
        places.append(box["x"])
    assert 230 < places[0] < 270
    assert 445 < places[1] < 485
    ada.page.mouse.move(1, 1)
    says(bob, "ada", "look / here")
    ada.page.keyboard.press("Escape")
    expect(field).to_have_count(0)
    expect(bob.page.locator("[data-cursor-user=ada]")).to_have_count(0)
    assert presence(ada, "chat") is None
    for page in (ada, bob):
        page.expect_no_complaints()


def test_after_enter_a_message_stands_for_a_while_and_then_fades(scene: Scene) -> None:
    ada, bob = page_of(scene, "ada"), page_of(scene, "bob")
    point(ada, 0.25, 0.5)
    ada.page.keyboard.press("/")
    expect(ada.page.get_by_role("textbox")).to_be_focused()
    ada.page.keyboard.type("hello")
    says(bob, "ada", "hello")
    stands = ada.page.evaluate(f"""() => {{
        const field = {CURSORS}.shadowRoot.querySelector('input');
        field.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true }}));
        return field.readOnly;
    }}""")
    assert stands
    expect(bob.page.locator("[data-cursor-user=ada][data-chat]")).to_have_count(0)
    says(bob, "ada", "")
    expect(bob.page.locator("[data-cursor-user=ada]")).to_have_count(1)
    expect(ada.page.get_by_role("textbox")).to_have_count(0)


def test_other_keys_and_fields_of_the_page_are_left_alone(scene: Scene) -> None:
    ada = at(scene, "ada", body=f"<input id=own>{CANVAS}")
    chat = ada.page.get_by_test_id("presence-chat")
    point(ada, 0.25, 0.5)
    ada.page.focus("#own")
    ada.page.keyboard.press("/")
    assert ada.page.input_value("#own") == "/"
    ada.page.evaluate("document.activeElement.blur()")
    ada.page.keyboard.press("Control+/")
    for key in ("t", ""):
        ada.page.evaluate(f"{CURSORS}.setAttribute('chat-key', '{key}')")
        ada.page.keyboard.press("/")
    ada.page.evaluate(f"{CURSORS}.setAttribute('chat-key', 't')")
    ada.page.wait_for_timeout(200)
    assert chat.count() == 0
    ada.page.keyboard.press("t")
    expect(chat).to_be_visible()


def test_keys_of_the_page_do_nothing_while_somebody_writes(scene: Scene) -> None:
    ada = at(scene, "ada")
    ada.page.evaluate("""() => {
        window.keys = [];
        addEventListener('keydown', event => keys.push(event.key));
    }""")
    ada.page.evaluate(f"{CURSORS}.chat()")
    expect(ada.page.get_by_role("textbox")).to_be_focused()
    ada.page.keyboard.type("b/c")
    until(ada, "cursors.client.self?.metadata?.presence?.chat === 'b/c'")
    assert ada.page.evaluate("keys") == []
    assert ada.page.evaluate(f"{CURSORS}.client.self.cursor") == {"x": 0.5, "y": 0.5}


def test_what_is_written_keeps_within_the_metadata(scene: Scene) -> None:
    ada = at(scene, "ada")
    ada.page.evaluate(f"{CURSORS}.client.setMetadata({{ text: 'x'.repeat(1980) }})")
    point(ada, 0.5, 0.5)
    ada.page.keyboard.press("/")
    field = ada.page.get_by_role("textbox")
    expect(field).to_be_focused()
    ada.page.keyboard.type("abcdefghijklmnopqrstuvwxyz")
    written = field.input_value()
    assert 0 < len(written) < 26
    until(ada, f"cursors.client.self?.metadata?.presence?.chat === '{written}'")
    assert ada.page.evaluate(f"{CURSORS}.client.self.metadata.text.length") == 1980


def test_what_an_earlier_page_of_the_session_left_is_gone(scene: Scene) -> None:
    bar = '<script type="module" src="/static/presence-bar.js"></script>'
    bar += "<presence-bar board=demo user-id=ada></presence-bar>"
    ada = scene.embed(f"{MODULE}{bar}{CANVAS}")
    ada.until("bar.client?.state === 'joined'")
    ada.run("""bar => {
        bar.client.setMetadata({ tool: 'pen' });
        bar.client.setPresence({ chat: 'hello', following: 'bob', hand: true });
    }""")
    ada.until("bar.client.self?.metadata?.presence?.chat === 'hello'")
    ada.drop_connection()
    ada.until("bar.client.status.resumed")
    tag = f"<presence-cursors board={scene.board} user-id=ada for=canvas></presence-cursors>"
    ada.page.evaluate("tag => document.body.insertAdjacentHTML('beforeend', tag)", tag)
    ada.until("!('chat' in bar.client.self.metadata.presence)")
    metadata = ada.run("bar => bar.client.self.metadata")
    assert metadata == {"tool": "pen", "presence": {"hand": True}}


# --- following -------------------------------------------------------------------


def test_the_view_of_the_person_who_is_followed_leads(scene: Scene) -> None:
    ada, bob = two_who_scroll(scene)
    scroll(ada, 600)
    follow(bob, "ada")
    expect_scrolled(bob, 600)
    frame = bob.page.get_by_test_id("presence-following")
    expect(frame).to_contain_text("Following")
    color = ada.page.evaluate(f"{CURSORS}.client.self.color")
    assert frame.evaluate("(frame) => frame.style.getPropertyValue('--color')") == color
    chip = ada.page.get_by_test_id("presence-followers")
    expect(chip).to_contain_text("1 follows you")
    scroll(ada, 1500)
    expect_scrolled(bob, 1500)
    eve = at(scene, "eve", width=400, body=TALL, attributes=SCROLLS)
    until(eve, "cursors.client.users.size === 3")
    follow(eve, "ada")
    expect(chip).to_contain_text("2 follow you")
    expect_scrolled(eve, 1500)
    bob.page.keyboard.press("Escape")
    expect(frame).to_have_count(0)
    expect(chip).to_contain_text("1 follows you")
    assert bob.page.evaluate(f"{CURSORS}.following") is None
    scroll(ada, 100)
    expect_scrolled(eve, 100)
    assert bob.page.evaluate("document.querySelector('#canvas').scrollTop") == 1500
    eve.page.get_by_role("button", name="Stop following").click()
    expect(chip).to_have_count(0)
    until(ada, "!('viewport' in (cursors.client.self.metadata?.presence ?? {}))")
    for page in (ada, bob, eve):
        page.expect_no_complaints()


@pytest.mark.parametrize("own", ["wheel", "key"])
def test_scrolling_by_oneself_ends_it(scene: Scene, own: str) -> None:
    ada, bob = two_who_scroll(scene)
    scroll(ada, 600)
    follow(bob, "ada")
    expect_scrolled(bob, 600)
    if own == "wheel":
        point(bob, 0.5, 0.5)
        bob.page.mouse.wheel(0, 100)
    else:
        bob.page.keyboard.press("PageDown")
    until(bob, "cursors.following === null")
    expect(ada.page.get_by_test_id("presence-followers")).to_have_count(0)


def test_in_a_page_that_scrolls_the_window_follows(scene: Scene) -> None:
    ada = at(scene, "ada", body=PAGE)
    bob = at(scene, "bob", width=500, body=PAGE)
    until(bob, "cursors.client.users.size === 2")
    follow(bob, "ada")
    ada.page.evaluate("scrollTo(0, 1200)")
    bob.page.wait_for_function("() => Math.abs(scrollY - 1200) <= 3")
    # What is shown of it is in the part that can be seen.
    expect(bob.page.get_by_role("button", name="Stop following")).to_be_in_viewport()
    expect(ada.page.get_by_test_id("presence-followers")).to_be_in_viewport()


def test_two_who_follow_each_other_do_not_go_on_for_ever(scene: Scene) -> None:
    ada, bob = two_who_scroll(scene)
    follow(bob, "ada")
    until(ada, "cursors.client.users.get('bob').metadata?.presence?.following === 'ada'")
    follow(ada, "bob")
    until(bob, "cursors.following === null")
    assert ada.page.evaluate(f"{CURSORS}.following") == "bob"
    expect(bob.page.get_by_test_id("presence-followers")).to_contain_text("1 follows you")


def test_it_ends_when_the_person_leaves_and_the_page_hears_of_it(scene: Scene) -> None:
    ada, bob = two_who_scroll(scene)
    bob.page.evaluate("""() => {
        window.told = [];
        addEventListener('presence-follow', event => told.push(event.detail));
    }""")
    follow(bob, "ada")
    bob.page.evaluate(f"{CURSORS}.follow('nobody')")
    ada.page.evaluate(f"{CURSORS}.client.leave()")
    until(bob, "cursors.following === null")
    expect(bob.page.get_by_test_id("presence-following")).to_have_count(0)
    assert bob.page.evaluate("told") == [
        {"following": "ada", "summoning": False},
        {"following": None, "summoning": False},
    ]
    until(bob, "!('following' in (cursors.client.self.metadata?.presence ?? {}))")


def test_a_lost_connection_does_not_end_it(scene: Scene) -> None:
    ada, bob = two_who_scroll(scene)
    follow(bob, "ada")
    bob.drop_connection()
    until(bob, "cursors.client.state === 'joined' && cursors.client.status.resumed")
    scroll(ada, 900)
    expect_scrolled(bob, 900)
    assert bob.page.evaluate(f"{CURSORS}.following") == "ada"


def test_the_bar_offers_it_on_the_cards(scene: Scene) -> None:
    bar = '<script type="module" src="/static/presence-bar.js"></script>'
    bar += "<presence-bar board=demo user-id=bob></presence-bar>"
    head = f"<meta name=color-scheme content='light dark'>{bar}"
    ada = at(scene, "ada", body=TALL, attributes=SCROLLS)
    bob = at(scene, "bob", body=f"{head}{TALL}", attributes=SCROLLS)
    bob.expect_people("bob", "ada")
    card, action = (
        bob.page.get_by_test_id("presence-card"),
        bob.page.get_by_test_id("presence-action"),
    )

    def choose(user_id: str, text: str) -> None:
        """Click on somebody in the bar, and on what their card offers."""
        bob.page.locator(f"[data-user-id={user_id}] button").click()
        expect(action).to_have_text(text)
        SHOTS.mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            bob.page.emulate_media(color_scheme=scheme)
            bob.page.screenshot(path=SHOTS / f"card-{text}-{scheme}.png")
        action.click()
        expect(card).to_be_hidden()

    choose("ada", "Follow")
    scroll(ada, 600)
    expect_scrolled(bob, 600)
    choose("ada", "Stop following")
    expect(bob.page.get_by_test_id("presence-following")).to_have_count(0)
    choose("bob", "Bring everyone to me")
    expect(ada.page.get_by_test_id("presence-offer")).to_be_visible()
    choose("bob", "Stop asking")
    expect(ada.page.get_by_test_id("presence-offer")).to_have_count(0)
    bob.page.evaluate(f"{CURSORS}.remove()")
    bob.page.locator("[data-user-id=ada] button").click()
    expect(card).to_be_visible()
    expect(action).to_be_hidden()
    bob.expect_no_complaints()


# --- bring everyone to me -----------------------------------------------------------


def test_a_call_is_an_offer_that_the_others_take_or_not(scene: Scene) -> None:
    ada, bob = two_who_scroll(scene)
    eve = at(scene, "eve", body=TALL, attributes=SCROLLS)
    scroll(ada, 700)
    ada.page.evaluate(f"{CURSORS}.summon()")
    offers = [page.page.get_by_test_id("presence-offer") for page in (bob, eve)]
    for offer in offers:
        expect(offer).to_contain_text("asks everyone to come")
    bob.page.wait_for_timeout(300)
    assert bob.page.evaluate("document.querySelector('#canvas').scrollTop") == 0
    offers[0].get_by_role("button", name="Go there").click()
    expect_scrolled(bob, 700)
    chip = ada.page.get_by_test_id("presence-followers")
    expect(chip).to_contain_text("1 follows you")
    offers[1].get_by_role("button", name="Not now").click()
    for offer in offers:
        expect(offer).to_have_count(0)
    assert eve.page.evaluate("document.querySelector('#canvas').scrollTop") == 0
    # Another call is another offer, and one that is taken back is gone.
    ada.page.evaluate(f"{CURSORS}.summon()")
    expect(offers[1]).to_be_visible()
    chip.get_by_role("button", name="Stop asking").click()
    expect(offers[1]).to_have_count(0)
    assert ada.page.evaluate(f"{CURSORS}.summoning") is False
    for page in (ada, bob, eve):
        page.expect_no_complaints()


def test_words_of_the_page_are_said(scene: Scene) -> None:
    ada, bob = two_who_scroll(scene)
    bob.page.evaluate(f"""async () => {{
        const {{ GERMAN }} = await import('/static/presence-strings-de.js');
        {CURSORS}.strings = GERMAN;
    }}""")
    ada.page.evaluate(f"{CURSORS}.summon()")
    offer = bob.page.get_by_test_id("presence-offer")
    expect(offer).to_contain_text("bittet alle zu sich")
    offer.get_by_role("button", name="Hingehen").click()
    expect(bob.page.get_by_test_id("presence-following")).to_contain_text("Du folgst")


@pytest.mark.axe
def test_it_fits_into_every_window_and_everybody_can_use_it(scene: Scene) -> None:
    head = "<meta name=color-scheme content='light dark'>"
    name = "display-name='Wolfeschlegelsteinhausenbergerdorff the First'"
    ada, bob = (
        at(scene, user, body=f"{head}{TALL}", attributes=f"{SCROLLS} {name}")
        for user in ("ada", "bob")
    )
    until(ada, "cursors.client.users.size === 2")
    SHOTS.mkdir(parents=True, exist_ok=True)

    def look(state: str, *parts: tuple[Embedder, str]) -> None:
        """Take pictures of both pages, and look at these parts of them."""
        for scheme, width in itertools.product(("light", "dark"), (320, 900)):
            for who, page in (("ada", ada), ("bob", bob)):
                page.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.page.set_viewport_size({"width": width, "height": 400})
                page.page.screenshot(path=SHOTS / f"{state}-{who}-{scheme}-{width}.png")
                assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            for page, part in parts:
                box = page.page.locator(f"[part={part}]").bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
                assert inaccessible(page, f"[part={part}]") == []

    point(ada, 0.3, 0.2)
    ada.page.keyboard.press("/")
    expect(ada.page.get_by_role("textbox")).to_be_focused()
    ada.page.keyboard.type("Shall we take this one, or the one that is further down?")
    says(bob, "ada", "Shall we take this one, or the one that is further down?")
    ada.page.evaluate(f"{CURSORS}.summon()")
    expect(bob.page.get_by_test_id("presence-offer")).to_be_visible()
    look("offer", (ada, "chat"), (ada, "chip"), (bob, "offer"))
    follow(bob, "ada")
    expect(ada.page.get_by_test_id("presence-followers")).to_contain_text("1 follows you")
    look("follow", (ada, "chip"), (bob, "frame"))
