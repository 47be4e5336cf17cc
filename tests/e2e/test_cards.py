"""Cards of people, search in the list, order and words of ``<presence-bar>``, in a real browser."""

from __future__ import annotations

import pytest

from tests.e2e.embedding_kit import Embedder, Scene, crowd, update_user
from tests.e2e.test_bar import CUT_SHEET, LIST, WITHOUT_ANCHORS, current_row, open_list

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

CARD = "bar.shadowRoot.querySelector('.card')"
IS_OPEN = f"({CARD}?.matches(':popover-open') ?? false)"
ROW = "[...bar.shadowRoot.querySelectorAll('.person')].map(each => each.dataset.userId).join(' ')"


def press(page: Embedder, user_id: str) -> None:
    """Click on somebody's avatar."""
    page.page.locator(f"presence-bar [data-user-id={user_id}] button").click()


def expect_card(page: Embedder, name: str) -> None:
    page.until(f"{IS_OPEN} && {CARD}.ariaLabel === '{name}'")


def test_an_avatar_opens_a_card_and_tells_the_page(scene: Scene) -> None:
    page = scene.embed("""<script>
        window.chosen = [];
        addEventListener('presence-select', event => chosen.push(event.detail.user.user_id));
    </script><presence-bar><a slot=card href="#">Follow</a></presence-bar>""")
    crowd(page, 5)
    update_user(page, "u1", status="online", display_name="Grace")
    press(page, "u1")
    expect_card(page, "Grace")
    text = page.run(f"bar => {CARD}.innerText")
    assert "Grace" in text
    assert "Online since" in text
    assert "Here since" in text
    assert page.page.get_by_text("Follow").is_visible()
    assert page.run("bar => bar.shadowRoot.activeElement.classList.contains('card')")
    update_user(page, "u1", status="away", display_name="Grace H")
    expect_card(page, "Grace H")
    assert "Away since" in page.run(f"bar => {CARD}.innerText")
    page.page.keyboard.press("Escape")
    page.until(f"!{IS_OPEN}")
    page.until("bar.shadowRoot.activeElement?.ariaExpanded === 'false'")
    press(page, "u2")
    expect_card(page, "Person 2")
    press(page, "u2")
    page.until(f"!{IS_OPEN}")
    assert page.page.evaluate("chosen") == ["u1", "u2"]
    press(page, "u3")
    expect_card(page, "Person 3")
    update_user(page, "u3", None)
    page.until(f"!{IS_OPEN}")
    page.expect_no_complaints()


def test_a_page_may_do_something_else_than_the_card(scene: Scene) -> None:
    page = scene.embed("""<presence-bar></presence-bar><script>
        addEventListener('presence-select', event => {
            event.preventDefault();
            document.title = event.detail.user.display_name;
        });
    </script>""")
    crowd(page, 2)
    press(page, "u1")
    page.page.wait_for_function("() => document.title === 'Person 1'")
    assert not page.run(f"bar => {IS_OPEN}")


def test_one_stop_of_the_tab_key_reaches_all_avatars(scene: Scene) -> None:
    page = scene.embed("<button>before</button><presence-bar></presence-bar>")
    crowd(page, 4)
    page.page.get_by_text("before").focus()
    focused = "bar.shadowRoot.activeElement?.parentElement?.dataset.userId"
    page.page.keyboard.press("Tab")
    assert page.run(f"bar => {focused}") == "u0"
    for key, user_id in (("ArrowRight", "u3"), ("End", "u2"), ("ArrowLeft", "u1"), ("Home", "u0")):
        page.page.keyboard.press(key)
        assert page.run(f"bar => {focused}") == user_id, key
    page.page.keyboard.press("Enter")
    expect_card(page, "Person 0 (you)")
    page.page.keyboard.press("Escape")
    page.until(f"{focused} === 'u0'")
    page.page.keyboard.press("Tab")
    assert page.run("bar => bar.shadowRoot.activeElement.className") == "more"


@pytest.mark.parametrize("anchors", [True, False])
def test_a_row_of_the_list_has_a_card_beside_it(scene: Scene, anchors: bool) -> None:
    scripts = () if anchors else (WITHOUT_ANCHORS, CUT_SHEET)
    page = scene.embed("<presence-bar></presence-bar>", width=320, scripts=scripts)
    crowd(page, 30)
    open_list(page)
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    expect_card(page, "Person 3")
    assert page.run(f"bar => {LIST}.matches(':popover-open')")
    box = page.run(f"bar => {CARD}.getBoundingClientRect().toJSON()")
    assert box["left"] >= 0
    assert box["right"] <= 320
    assert box["top"] >= 0
    assert box["bottom"] <= 400
    assert box["height"] > 60
    page.page.keyboard.press("Escape")
    page.until(f"!{IS_OPEN} && {LIST}.matches(':popover-open')")
    page.until("bar.shadowRoot.activeElement?.dataset.listUserId === 'u3'")
    page.page.keyboard.press("Escape")
    page.until(f"!{LIST}.matches(':popover-open')")


def test_a_long_list_can_be_searched(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 20)
    open_list(page)
    assert page.run(f"bar => {LIST}.querySelector('input').hidden")
    page.page.keyboard.press("Escape")
    page.until(f"!{LIST}.matches(':popover-open')")
    crowd(page, 100)
    update_user(page, "u70", display_name="José Ålund")
    open_list(page)
    shown = f"""[...{LIST}.querySelectorAll('li:not([hidden]) > button')]
        .map(row => row.dataset.listUserId).join(' ')"""
    page.page.keyboard.type("jose a")
    page.until(f"{shown} === 'u70'")
    assert page.run(f"bar => {LIST}.querySelector('h2').textContent") == "1 of 100"
    page.page.keyboard.press("ArrowDown")
    assert current_row(page) == "u70"
    page.page.keyboard.press("Escape")
    page.until(f"!{LIST}.matches(':popover-open')")
    open_list(page)
    assert page.run(f"bar => {LIST}.querySelectorAll('li:not([hidden])').length") == 100


def test_the_active_come_first_once_nobody_looks(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 6)
    assert page.run(f"bar => {ROW}") == "u0 u3 u1 u4 u2 u5"
    page.page.locator("presence-bar [data-user-id=u3]").hover()
    update_user(page, "u3", status="away")
    update_user(page, "u5", status="online")
    page.page.wait_for_timeout(2000)
    assert page.run(f"bar => {ROW}") == "u0 u3 u1 u4 u2 u5"
    page.page.mouse.move(5, 300)
    page.until(f"{ROW} === 'u0 u5 u1 u4 u2 u3'")


def test_where_nobody_can_be_seen_the_bar_says_why(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 0)
    note = "bar.shadowRoot.querySelector('.note').textContent"
    for state, said in (("queued", "Waiting for a seat"), ("closed", "Not connected")):
        page.run(f"""bar => {{
            bar.client.state = '{state}';
            bar.client.dispatchEvent(new Event('state'));
        }}""")
        page.until(f"{note} === '{said}'")
    crowd(page, 1)
    page.until(f"{note} === ''")


def test_a_page_may_replace_the_words(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 3)
    label = "bar.shadowRoot.querySelector('[data-user-id=u1] button').ariaLabel"
    assert page.run(f"bar => {label}") == "Person 1, Idle"
    page.run("bar => { bar.strings = { lang: 'nl', idle: 'Inactief' }; }")
    page.until(f"{label} === 'Person 1, Inactief'")
    open_list(page)
    assert page.run(f"bar => {LIST}.querySelector('[data-list-user-id=u1] .word').textContent") == (
        "Inactief"
    )
    page.run("bar => { bar.strings = null; }")
    page.until(f"{LIST}.querySelector('[data-list-user-id=u1] .word').textContent === 'Idle'")
