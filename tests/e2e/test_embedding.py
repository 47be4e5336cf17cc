"""``<presence-bar>`` in a page of somebody else's, in a real browser."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser_kit import Person, serving
from tests.e2e.embedding_kit import Scene, crowd

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def test_a_guest_resumes_after_a_drop_and_over_a_reload(observed: Scene) -> None:
    guest = observed.embed("<presence-bar board=demo></presence-bar>")
    guest.expect_joined(2)
    user_id = guest.run("bar => bar.client.userId")
    observed.bob.expect_people("bob", user_id)
    observed.news()
    guest.drop_connection()
    guest.until("bar.client.status.resumed === true")
    guest.page.reload()
    guest.until("bar.client?.status.resumed === true")
    assert guest.run("bar => bar.client.userId") == user_id
    assert all("status" in event for event in observed.news())  # of nobody who came or left
    guest.expect_no_complaints()


def test_a_guest_does_not_queue_after_its_own_ghost(browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, board__capacity=1))
        guest = Scene(browser, server, stack).embed("<presence-bar board=demo></presence-bar>")
        guest.expect_joined(1)
        guest.drop_connection()
        guest.until("bar.client.status.resumed === true")


def test_a_change_of_the_board_attribute_changes_the_board(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada display-name=Ada></presence-bar>")
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    ada.run("""bar => {
        bar.setAttribute('board', 'r1');
        bar.setAttribute('board', 'r2');
    }""")
    ada.until("bar.client.board === 'r2' && bar.client.state === 'joined'")
    observed.bob.expect_people("bob")
    assert ada.sockets() == 2
    ada.run(f"bar => bar.setAttribute('board', '{observed.board}')")
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    ada.expect_no_complaints()


def test_an_attribute_without_a_value_is_like_none(observed: Scene) -> None:
    """As a template writes it whose variable is empty."""
    empty = " ".join(
        f"{name}=''"
        for name in ("server", "token", "user-id", "display-name", "avatar-url", "color")
    )
    ada = observed.embed(
        f"<presence-bar board=demo {empty}></presence-bar><presence-bar board=demo></presence-bar>"
    )
    ada.expect_joined(2)
    assert ada.sockets() == 1  # The same guest.
    ada.run("bar => { bar.server = 'http://localhost:1'; }")
    ada.until("bar.dataset.state === 'reconnecting'")
    ada.until("bar.dataset.error === 'UNREACHABLE'")
    ada.run("bar => bar.setAttribute('board', '')")
    ada.until("bar.dataset.state === 'none' && !('error' in bar.dataset)")
    ada.expect_no_complaints()


def test_a_change_of_the_name_attribute_is_seen_by_the_others(observed: Scene) -> None:
    ada = observed.embed("<presence-bar board=demo user-id=ada display-name=Ada></presence-bar>")
    ada.expect_joined(2)
    ada.run("""bar => {
        bar.setAttribute('display-name', 'Ada L');
        bar.setAttribute('color', '#112233');
    }""")
    ada.until("bar.client.self?.display_name === 'Ada L' && bar.client.self.color === '#112233'")
    assert ada.sockets() == 1
    ada.run("bar => bar.setAttribute('user-id', 'ada2')")
    ada.until("bar.client.self?.user_id === 'ada2'")
    observed.bob.expect_people("bob", "ada2")


def test_a_bar_that_moves_leaves_nobody(observed: Scene) -> None:
    ada = observed.embed(
        "<div id=a><presence-bar board=demo user-id=ada></presence-bar></div><div id=b></div>"
    )
    ada.expect_joined(2)
    observed.bob.expect_people("bob", "ada")
    observed.news()
    ada.run("bar => document.querySelector('#b').append(bar)")
    ada.run("bar => document.querySelector('#a').prepend(bar)")
    ada.run("bar => document.querySelector('#b').moveBefore(bar, null)")
    # As a route change does it that mounts the same board again, or StrictMode, or HMR.
    ada.run("""async bar => {
        bar.remove();
        await new Promise(resolve => setTimeout(resolve, 300));
        const next = document.createElement('presence-bar');
        next.setAttribute('board', bar.getAttribute('board'));
        next.setAttribute('user-id', 'ada');
        document.querySelector('#b').append(next);
    }""")
    observed.expect_no_news(ada)
    ada.expect_joined(2)
    assert ada.sockets() == 1
    ada.run("bar => bar.remove()")
    observed.bob.expect_people("bob")
    ada.expect_no_complaints()


def test_bars_of_one_board_share_a_client_and_announce_once(observed: Scene) -> None:
    bars = "<presence-bar board=demo user-id=ada></presence-bar>" * 3
    ada = observed.embed(bars)
    ada.expect_joined(2)
    assert ada.sockets() == 1
    ada.run("bar => bar.remove()")
    ada.page.wait_for_timeout(1500)
    ada.expect_joined(2)
    cyd = Person.at(observed.browser, observed.server, "Cyd", observed.board)
    cyd.expect_state("live")
    ada.page.wait_for_function("""() => [...document.querySelectorAll('presence-bar')].some(
        bar => bar.shadowRoot.querySelector('[aria-live]').textContent !== '')""")
    announced = ada.page.evaluate("""[...document.querySelectorAll('presence-bar')]
        .map(bar => bar.shadowRoot.querySelector('[aria-live]').textContent)""")
    assert sorted(announced) == ["", "Cyd joined"]


def test_a_second_copy_of_the_module_does_no_harm(observed: Scene) -> None:
    ada = observed.embed(
        "<presence-bar board=demo user-id=ada></presence-bar>"
        '<script type="module" src="/static/presence-bar.js?v=2"></script>'
    )
    ada.expect_joined(2)
    ada.page.wait_for_load_state()
    assert ada.sockets() == 1
    ada.expect_no_complaints()


def test_a_client_that_is_set_before_the_element_is_defined_is_taken_over(observed: Scene) -> None:
    ada = observed.embed("""<presence-bar></presence-bar><script type="module">
        import { PresenceClient } from '/static/presence-client.js';
        const client = new PresenceClient({ board: 'demo', user_id: 'ada' });
        document.querySelector('presence-bar').client = client;
        client.connect();
        await import('/static/presence-bar.js');
    </script>""")
    ada.expect_joined(2)
    ada.until("bar.shadowRoot.querySelectorAll('[data-testid=presence-user]').length === 2")


def test_trusted_types_may_be_required(scene: Scene) -> None:
    ada = scene.embed(
        "<presence-bar board=demo user-id=ada></presence-bar>",
        "Content-Security-Policy: require-trusted-types-for 'script'; style-src 'none'",
    )
    ada.expect_joined(1)
    ada.expect_no_complaints()


# --- layout -------------------------------------------------------------------------


SHOWN = "bar => bar.shadowRoot.querySelectorAll('[data-testid=presence-user]').length"
HEADER = """<header style="display: flex; justify-content: space-between; align-items: center">
    <h1>My board</h1><presence-bar {attributes}></presence-bar></header>"""


@pytest.mark.parametrize(
    ("width", "people", "attributes", "shown"),
    [
        (900, 1, "", 1),
        (900, 6, "", 5),
        (900, 100, "", 5),
        (900, 6, "max=8", 6),
        (900, 100, "max=8", 8),
        (320, 100, "", 2),
        (320, 2, "", 2),
        (900, 100, "max=3 size=24", 3),
        (900, 100, "max=8 overlap=12", 8),
    ],
)
def test_in_a_header_it_is_as_wide_as_its_people(
    scene: Scene, width: int, people: int, attributes: str, shown: int
) -> None:
    page = scene.embed(HEADER.format(attributes=attributes), width=width)
    crowd(page, people)
    assert page.run(SHOWN) == shown
    overflow = page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow == 0


@pytest.mark.parametrize(
    "style",
    [
        "display: grid; grid-template-columns: 1fr auto",
        "display: inline-flex",
        "float: right",
        "position: absolute; right: 0",
    ],
)
def test_in_other_boxes_that_fit_their_content_too(scene: Scene, style: str) -> None:
    page = scene.embed(
        f'<div style="{style}"><b>Title</b><presence-bar></presence-bar></div>',
    )
    crowd(page, 6)
    assert page.run(SHOWN) == 5


def test_where_there_is_more_room_it_shows_more(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    crowd(page, 100)
    assert page.run(SHOWN) > 15


@pytest.mark.parametrize(("width", "attributes"), [(70, ""), (900, "max=0")])
def test_where_nobody_fits_the_button_says_how_many_there_are(
    scene: Scene, width: int, attributes: str
) -> None:
    page = scene.embed(
        f"<div style='width: {width}px'><presence-bar {attributes}></presence-bar></div>"
    )
    crowd(page, 50)
    assert page.run(SHOWN) == 0
    more = page.page.locator("presence-bar .bar .more")
    assert [more.inner_text(), more.get_attribute("aria-label")] == [
        "50",
        "50 people on this board, show all",
    ]


def test_its_height_is_the_same_without_people(scene: Scene) -> None:
    page = scene.embed("<presence-bar></presence-bar>")
    page.page.wait_for_function("() => customElements.get('presence-bar')")
    empty = page.run("bar => bar.offsetHeight")
    crowd(page, 7)
    assert page.run("bar => bar.offsetHeight") == empty > 36


@pytest.mark.parametrize(("align", "at"), [("start", 0), ("end", 1), (None, 1)])
def test_it_is_aligned_as_asked(scene: Scene, align: str | None, at: int) -> None:
    attribute = f"align={align}" if align else ""
    page = scene.embed(f"<presence-bar {attribute}></presence-bar>")
    crowd(page, 2)
    left, right = page.run("""bar => {
        const row = bar.shadowRoot.querySelector('.people').getBoundingClientRect();
        const more = bar.shadowRoot.querySelector('.bar .more').getBoundingClientRect();
        return [row.left, innerWidth - more.right];
    }""")
    assert (left, right)[at] < 8 < (left, right)[1 - at]
