"""The list, the words and the errors of ``<presence-bar>``, in a real browser."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser_kit import Person, serving
from tests.e2e.embedding_kit import Embedder, Scene, crowd, update_user
from tests.keys import SECRET, token

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

WITHOUT_ANCHORS = "CSS.supports = () => false;"
"""As in a browser without CSS anchor positioning, with the style sheet cut accordingly."""
CUT_SHEET = """
    const replace = CSSStyleSheet.prototype.replaceSync;
    CSSStyleSheet.prototype.replaceSync = function (css) {
        replace.call(this, css.replace('@supports (position-area', '@supports (no-such-area'));
    };
"""
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
EXPANDED = "bar => bar.shadowRoot.querySelector('.bar .more').ariaExpanded"
LIST = "bar.shadowRoot.querySelector('.list')"


def open_list(page: Embedder) -> None:
    """By the keyboard, as far as the browser has finished."""
    page.run("bar => bar.shadowRoot.querySelector('.bar .more').focus()")
    page.page.keyboard.press("Enter")
    page.until(
        f"{LIST}?.matches(':popover-open') && bar.shadowRoot.activeElement?.closest('.list li')"
    )


def current_row(page: Embedder) -> str | None:
    """Whose row the keyboard is at."""
    found = page.run("bar => bar.shadowRoot.activeElement?.dataset.listUserId ?? null")
    assert found is None or isinstance(found, str)
    return found


def list_box(page: Embedder) -> dict[str, float]:
    """Where the list is, in the window."""
    page.page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    box = page.run(f"bar => {LIST}.getBoundingClientRect().toJSON()")
    assert isinstance(box, dict)
    return box


def assert_inside(page: Embedder, box: dict[str, float]) -> None:
    width, height = page.page.evaluate("[innerWidth, innerHeight]")
    assert box["left"] >= 0
    assert box["right"] <= width
    assert box["top"] >= 0
    assert box["bottom"] <= height
    assert box["height"] > 100


@pytest.mark.parametrize("anchors", [True, False])
@pytest.mark.parametrize(
    ("style", "opens"),
    [
        ("position: fixed; inset: 0 0 auto 0", "below"),
        ("position: fixed; inset: auto 0 0 0", "above"),
        ("position: fixed; inset: 150px 0 auto 0", "below"),
        ("position: fixed; inset: 0 auto auto 0; width: 200px", "below"),
        ("position: fixed; inset: auto 0 0 0; zoom: 1.5", "above"),
    ],
)
def test_the_list_opens_where_there_is_room(
    scene: Scene, style: str, opens: str, anchors: bool
) -> None:
    scripts = () if anchors else (WITHOUT_ANCHORS, CUT_SHEET)
    page = scene.embed(f'<presence-bar style="{style}"></presence-bar>', scripts=scripts)
    crowd(page, 100)
    open_list(page)
    box, button = (
        list_box(page),
        page.run(
            "bar => bar.shadowRoot.querySelector('.bar .more').getBoundingClientRect().toJSON()"
        ),
    )
    assert_inside(page, box)
    assert (box["top"] >= button["bottom"]) is (opens == "below")


@pytest.mark.parametrize("anchors", [True, False])
def test_the_list_follows_its_button(scene: Scene, anchors: bool) -> None:
    scripts = () if anchors else (WITHOUT_ANCHORS, CUT_SHEET)
    body = (
        '<div style="height: 90px"></div><presence-bar></presence-bar><hr style="margin: 3000px">'
    )
    page = scene.embed(body, scripts=scripts)
    crowd(page, 100)
    open_list(page)
    before = list_box(page)
    page.page.evaluate("scrollBy(0, 40)")
    page.page.wait_for_timeout(50)
    assert list_box(page)["top"] == pytest.approx(before["top"] - 40, abs=1)
    page.page.set_viewport_size({"width": 320, "height": 400})
    page.page.wait_for_timeout(50)
    assert_inside(page, list_box(page))


def test_in_a_page_that_zooms_the_name_is_beside_its_avatar(scene: Scene) -> None:
    page = scene.embed('<div style="zoom: 1.5"><presence-bar></presence-bar></div>')
    crowd(page, 10)
    avatar = page.page.locator("presence-bar [data-user-id=u3]")
    avatar.hover()
    tip = page.page.locator("presence-bar .tip")
    tip.wait_for()
    above, below = avatar.bounding_box(), tip.bounding_box()
    assert above is not None
    assert below is not None
    middles = [box["x"] + box["width"] / 2 for box in (above, below)]
    assert middles[0] == pytest.approx(middles[1], abs=2)
    assert 0 < below["y"] - above["y"] - above["height"] < 20


def test_the_keyboard_reaches_everybody_in_the_list_and_comes_back(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 100)
    open_list(page)
    assert current_row(page) == "u0"
    # Those who are online come first: u0, u3, u6 and so on, and those who are away last.
    for key, user_id in (
        ("ArrowDown", "u3"),
        ("PageDown", "u27"),
        ("ArrowUp", "u24"),
        ("End", "u98"),
        ("ArrowDown", "u98"),
        ("Home", "u0"),
        ("ArrowUp", "u0"),
        ("End", "u98"),
    ):
        page.page.keyboard.press(key)
        assert current_row(page) == user_id, key
    assert page.run(f"bar => {LIST}.scrollTop") > 1000
    assert page.run(EXPANDED) == "true"
    page.page.keyboard.press("Escape")
    page.until(f"!{LIST}.matches(':popover-open')")
    page.until("bar.shadowRoot.activeElement?.dataset.testid === 'presence-overflow'")
    assert page.run(EXPANDED) == "false"


def test_rows_of_the_list_stay_the_same_elements(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 100)
    open_list(page)
    for _ in range(3):
        page.page.keyboard.press("ArrowDown")
    page.run(f"bar => {{ window.rows = [...{LIST}.querySelectorAll('li > button')]; }}")
    update_user(page, "u50", status="away", display_name="Renamed")
    update_user(page, "u9", None)
    rows = page.run(f"""bar => {{
        const now = [...{LIST}.querySelectorAll('li > button')];
        const before = window.rows.filter(row => row.dataset.listUserId !== 'u9');
        return [now.length, now.every((row, index) => row === before[index])];
    }}""")
    assert rows == [99, True]
    row = f"{LIST}.querySelector('[data-list-user-id=u50]')"
    assert page.run(f"bar => [{row}.children[1].textContent, {row}.children[2].textContent]") == [
        "Renamed",
        "Away",
    ]
    # The row of the keyboard is gone: the next one has it.
    assert current_row(page) == "u12"


def test_a_changed_dot_costs_three_mutations_and_no_forced_layout(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 100)
    page.run("""bar => {
        window.mutations = [];
        window.reads = 0;
        const observer = new MutationObserver(seen => window.mutations.push(...seen));
        const options = { subtree: true, childList: true, attributes: true, characterData: true };
        observer.observe(bar.shadowRoot, options);
        observer.observe(bar, options);
        const watch = (target, name) => {
            const { get } = Object.getOwnPropertyDescriptor(target, name);
            const counted = function () { window.reads += 1; return get.call(this); };
            Object.defineProperty(target, name, { get: counted });
        };
        watch(HTMLElement.prototype, 'offsetWidth');
        watch(HTMLElement.prototype, 'offsetHeight');
        watch(Element.prototype, 'clientWidth');
        watch(Element.prototype, 'clientHeight');
    }""")
    update_user(page, "u3", status="idle")
    assert page.page.evaluate("[mutations.length <= 3 && mutations.length > 0, reads]") == [True, 0]
    update_user(page, "u98", status="idle")  # not in the row
    assert page.page.evaluate("[mutations.length <= 3, reads]") == [True, 0]


# --- words ----------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_names_and_numbers_keep_their_direction(scene: Scene, direction: str) -> None:
    page = scene.embed(f'<div dir="{direction}"><presence-bar max=2></presence-bar></div>')
    crowd(page, 13)
    update_user(page, "u1", display_name="Philadelphia Senior (west)")
    open_list(page)
    shown = page.run(f"""bar => {{
        const at = (node, text) => {{
            const range = document.createRange();
            const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
            let found = null;
            while (walker.nextNode()) {{
                if (walker.currentNode.data.includes(text)) found = walker.currentNode;
            }}
            const start = found.data.indexOf(text);
            range.setStart(found, start);
            range.setEnd(found, start + text.length);
            return range.getBoundingClientRect().left;
        }};
        const list = {LIST};
        const more = bar.shadowRoot.querySelector('.bar .more');
        return [
            at(more, '+') < at(more, '11'),
            at(list, '13') < at(list, 'people'),
            at(list, 'Senior') < at(list, '(west'),
        ];
    }}""")
    assert shown == [True, True, True]


def test_what_is_seen_on_the_button_is_part_of_its_name(scene: Scene) -> None:
    page = scene.embed("<presence-bar max=7></presence-bar>")
    for count, seen in ((100, "+93"), (3, "3")):
        crowd(page, count)
        text, label = page.run("""bar => {
            const more = bar.shadowRoot.querySelector('.bar .more');
            return [more.innerText, more.ariaLabel];
        }""")
        assert text == seen
        assert label.startswith(seen)


@pytest.mark.parametrize(
    ("announce", "said"), [("", "Zoe joined"), ("brief", "1 person joined"), ("off", "")]
)
def test_the_announcer_says_as_much_as_is_wanted(scene: Scene, announce: str, said: str) -> None:
    page = scene.embed(f"<presence-bar announce={announce or 'names'}></presence-bar>")
    crowd(page, 2)
    update_user(page, "z", kind="joined", display_name="Zoe")
    page.page.wait_for_timeout(1700)
    assert page.run("bar => bar.shadowRoot.querySelector('[aria-live]').textContent") == said


def test_its_sizes_follow_the_size_of_text(scene: Scene) -> None:
    page = scene.embed("<style>html { font-size: 32px }</style><presence-bar></presence-bar>")
    crowd(page, 3)
    assert page.run("bar => bar.shadowRoot.querySelector('.avatar').offsetWidth") == 72
    assert page.run("bar => getComputedStyle(bar).fontSize") == "28px"


def test_a_page_may_colour_it_by_properties_of_its_own(scene: Scene) -> None:
    """Names such as --surface are the page's: they do not clash with the element's."""
    names = ("surface", "text", "muted", "line", "size")
    own = "; ".join(f"--{name}: {'20px' if name == 'size' else '#ff0000'}" for name in names)
    given = "; ".join(f"--presence-{name}: var(--{name})" for name in names)
    page = scene.embed(
        f"<style>:root {{ {own} }} presence-bar {{ {given} }}</style><presence-bar></presence-bar>"
    )
    crowd(page, 2)
    looks = page.run("""bar => {
        const style = getComputedStyle(bar.shadowRoot.querySelector('.bar .more'));
        return [style.backgroundColor, style.color, style.borderTopColor, style.height];
    }""")
    assert looks == [*["rgb(255, 0, 0)"] * 3, "20px"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_or_dark_is_what_the_page_is_and_not_the_browser(scene: Scene, scheme: str) -> None:
    page = scene.embed(
        f"<style>:root {{ color-scheme: {scheme} }}</style><presence-bar></presence-bar>"
    )
    page.page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    crowd(page, 2)
    more = "getComputedStyle(bar.shadowRoot.querySelector('.bar .more')).backgroundColor"
    surface = {"light": "rgb(255, 255, 255)", "dark": "rgb(25, 28, 34)"}
    assert page.run(f"bar => {more}") == surface[scheme]


# --- errors -----------------------------------------------------------------------------


HEAR = """<script>
    window.errors = [];
    addEventListener('presence-error', event => errors.push(event.detail.code));
</script>"""


def test_a_token_that_is_not_good_shows_and_a_better_one_cures_it(
    browser: Browser, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        settings = {"auth__mode": "jwt", "auth__jwt_secret": SECRET}
        server = stack.enter_context(serving(tmp_path, **settings))
        scene = Scene(browser, server, stack)
        page = scene.embed(f"{HEAR}<presence-bar board=demo token={token(exp=1)}></presence-bar>")
        page.until("bar.dataset.error === 'UNAUTHORIZED' && bar.dataset.state === 'closed'")
        assert page.page.evaluate("errors") == ["UNAUTHORIZED"]
        assert page.run("bar => bar.matches(':state(closed)')")
        assert [line for line in page.warnings if "getToken" in line]
        page.run(f"bar => bar.setAttribute('token', '{token('ada')}')")
        page.until("bar.dataset.state === 'joined' && !('error' in bar.dataset)")
        # As a framework does it that makes a new function each time that it draws.
        page.run(f"""bar => {{
            window.asked = 0;
            bar.removeAttribute('token');
            bar.getToken = () => {{ asked += 1; return '{token("ada")}'; }};
        }}""")
        page.until("bar.dataset.state === 'joined' && window.asked === 1")
        sockets = page.sockets()
        page.run("bar => { bar.getToken = () => { asked += 10; return 'x'; }; }")
        page.page.wait_for_timeout(100)
        assert page.sockets() == sockets
        page.expect_no_complaints()


def test_a_page_that_may_not_connect_learns_why(scene: Scene) -> None:
    stranger = scene.server.url.replace("127.0.0.1", "localhost")
    page = scene.embed(f"{HEAR}<presence-bar board=demo server={stranger}></presence-bar>")
    page.until("bar.dataset.error === 'UNREACHABLE' && bar.dataset.state === 'reconnecting'")
    assert page.page.evaluate("errors") == ["UNREACHABLE"]
    (warning,) = [line for line in page.warnings if "UNREACHABLE" in line]
    assert "auth.allowed_origins" in warning
    assert f"{stranger}/" in warning


def test_a_board_that_cannot_be_one_shows(scene: Scene) -> None:
    page = scene.embed(f"{HEAR}<presence-bar board='a/b'></presence-bar>")
    page.until("bar.dataset.error === 'INVALID_OPTIONS' && bar.dataset.state === 'none'")
    assert page.page.evaluate("errors") == ["INVALID_OPTIONS"]
    page.run(f"bar => {{ bar.board = '{scene.board}'; bar.userId = 'ada'; }}")
    page.expect_joined(1)
    assert page.run("bar => [bar.userId, bar.getAttribute('user-id')]") == ["ada", "ada"]
    page.expect_no_complaints()


def test_properties_that_were_set_before_the_element_was_defined_count(scene: Scene) -> None:
    page = scene.embed(f"""<div id=place></div><script>
        const bar = document.createElement('presence-bar');
        Object.assign(bar, {{ board: '{scene.board}', userId: 'ada', displayName: 'Ada L' }});
        place.append(bar);
    </script>""")
    page.expect_joined(1)
    assert page.run("bar => bar.client.self.display_name") == "Ada L"


# --- presence ---------------------------------------------------------------------------


def test_a_glance_at_another_tab_is_not_seen_and_a_second_tab_neither(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada></presence-bar>")
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    observed.news()
    other = ada.open_tab()
    other.expect_joined(2)
    for _ in range(2):
        ada.page.bring_to_front()
        other.page.bring_to_front()
    observed.expect_no_news(ada)


def test_the_network_that_is_gone_shows_at_once(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada></presence-bar>")
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    observed.news()
    ada.context.set_offline(True)
    ada.until("bar.hasAttribute('data-stale') && bar.client.status.offline")
    assert ada.run("bar => bar.client.state") == "joined"
    ada.context.set_offline(False)
    ada.until("!bar.hasAttribute('data-stale')")
    assert ada.sockets() == 1
    observed.expect_no_news(ada)


def test_under_coep_it_works(scene: Scene) -> None:
    page = scene.embed(
        "<presence-bar board=demo user-id=ada></presence-bar>",
        "Cross-Origin-Embedder-Policy: require-corp",
        "Cross-Origin-Opener-Policy: same-origin",
    )
    page.expect_joined(1)
    page.expect_no_complaints()


def test_on_a_narrow_screen_ones_own_button_has_a_name(scene: Scene) -> None:
    context = scene.browser.new_context(viewport={"width": 320, "height": 600})
    ada = Person(context, scene.server.board(scene.board, user_id="ada", display_name="Ada"))
    ada.expect_state("live")
    button = ada.page.get_by_test_id("profile-button")
    assert button.get_attribute("aria-label") == "Ada, your name and colour"
    context.close()
