"""Badges of ``<presence-bar>``, and those who left a short while ago, in a real browser."""

from __future__ import annotations

import pytest

from tests.e2e.embedding_kit import Scene, crowd, update_user
from tests.e2e.test_bar import LIST, open_list
from tests.e2e.test_cards import CARD, IS_OPEN, ROW, press

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def person(user_id: str) -> str:
    """The script that finds somebody in the row."""
    return f"bar.shadowRoot.querySelector('[data-user-id={user_id}]')"


def test_a_hand_typing_and_a_place_are_badges_and_words(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 6)
    badge = f"{person('u3')}?.querySelector('.badge')?.dataset.badge ?? ''"
    label = f"{person('u3')}.querySelector('button').ariaLabel"
    assert page.run(f"bar => {badge}") == ""
    everything = {"hand": True, "typing": True, "location": "Slide 3"}
    for presence, shown, said in (
        ({"location": "Slide 3"}, "location", "Person 3, Online, Slide 3"),
        ({"typing": True, "location": "Slide 3"}, "typing", "Person 3, Online, Typing, Slide 3"),
        (everything, "hand", "Person 3, Online, Hand raised, Typing, Slide 3"),
        ({}, "", "Person 3, Online"),
        ({"hand": False, "typing": 0, "location": ["x"]}, "", "Person 3, Online"),
        (everything, "hand", "Person 3, Online, Hand raised, Typing, Slide 3"),
    ):
        update_user(page, "u3", metadata={"presence": presence})
        page.until(f"({badge}) === '{shown}'")
        assert page.run(f"bar => {label}") == said
    press(page, "u3")
    page.until(IS_OPEN)
    assert "Slide 3" in page.run(f"bar => {CARD}.innerText")
    page.page.keyboard.press("Escape")
    page.until(f"!{IS_OPEN}")
    open_list(page)
    place = f"{LIST}.querySelector('[data-list-user-id=u3] .place').textContent"
    assert page.run(f"bar => {place}") == "Slide 3"
    # Whoever has gone to sleep does not type.
    update_user(page, "u3", status="away", metadata={"presence": {"typing": True}})
    page.until(f"({badge}) === '' && {label} === 'Person 3, Away'")
    page.expect_no_complaints()


def test_a_raised_hand_comes_first(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 6)
    update_user(page, "u5", metadata={"presence": {"hand": True}})
    page.until(f"{ROW} === 'u0 u5 u3 u1 u4 u2'")


def test_the_client_says_it_to_the_others(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada></presence-bar>")
    ada.expect_joined(2)
    ada.run("bar => bar.client.setMetadata({ tool: 'pen' })")
    ada.run("bar => bar.client.setPresence({ hand: true, location: 'Slide 3' })")
    observed.bob.page.locator("[data-user-id=ada] [data-badge=hand]").wait_for()
    ada.run("bar => bar.client.setPresence({ hand: undefined })")
    observed.bob.page.locator("[data-user-id=ada] [data-badge=location]").wait_for()
    kept = observed.bob.page.evaluate("() => presence.users.get('ada').metadata")
    assert kept == {"tool": "pen", "presence": {"location": "Slide 3"}}


def test_somebody_who_left_is_shown_for_a_while(scene: Scene) -> None:
    page = scene.embed("<presence-bar keep-left=120></presence-bar>")
    crowd(page, 4)
    update_user(page, "u3", None, kind="left")
    gone = f"{person('u3')}?.querySelector('button').ariaLabel"
    page.until(f"{gone} === 'Person 3, Left just now'")
    assert page.run("bar => bar.dataset.count") == "3"
    assert page.run(f"bar => {ROW}") == "u0 u1 u2 u3"
    page.run("""bar => {
        bar.client.serverTime += 61_000;
        bar.client.dispatchEvent(new Event('state'));
    }""")
    page.until(f"{gone} === 'Person 3, Left 1 min. ago'")
    press(page, "u3")
    page.until(f"{IS_OPEN} && {CARD}.innerText.includes('Left 1 min. ago')")
    page.page.keyboard.press("Escape")
    page.run("""bar => {
        bar.client.serverTime += 60_000;
        bar.client.dispatchEvent(new Event('state'));
    }""")
    page.until(f"{person('u3')} === null")
    page.expect_no_complaints()


def test_somebody_who_comes_back_has_not_left(scene: Scene) -> None:
    page = scene.embed("<presence-bar keep-left=120></presence-bar>")
    crowd(page, 4)
    update_user(page, "u3", None, kind="left")
    page.until(f"{person('u3')}?.hasAttribute('data-gone')")
    update_user(page, "u3", kind="joined")
    page.until(f"!{person('u3')}.hasAttribute('data-gone')")
    assert page.run("bar => bar.shadowRoot.querySelectorAll('.person').length") == 4
