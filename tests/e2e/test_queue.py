"""``<presence-queue>`` in a page of somebody else's, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser_kit import Person, ServerProcess, serving
from tests.e2e.embedding_kit import Embedder, Scene

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

QUEUE = "document.querySelector('presence-queue')"
HEAD = """<link rel="icon" href="/static/favicon.svg">
<script type="module" src="/static/presence-queue.js"></script>
<script>
    window.turns = 0;
    addEventListener('presence-turn', () => turns += 1);
    window.shown = [];
    window.Notification = class {
        static permission = 'granted';
        constructor(title) { shown.push(title); }
    };
    window.tones = 0;
    window.AudioContext = class {
        currentTime = 0;
        createOscillator() {
            const tone = { frequency: {}, connect: to => to, stop() {} };
            return Object.assign(tone, { start() { tones += 1; } });
        }
        createGain() {
            const gain = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
            return { gain, connect: to => to };
        }
    };
</script>"""


@pytest.fixture(scope="module")
def full_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server"), board__capacity=1) as started:
        yield started


@pytest.fixture
def full(browser: Browser, full_server: ServerProcess) -> Iterator[Scene]:
    """A board with one seat, on which Bob is."""
    with ExitStack() as stack:
        scene = Scene(browser, full_server, stack)
        scene.bob.expect_people("bob")
        yield scene
        scene.bob.context.close()


def wait_in(scene: Scene, attributes: str = "", user_id: str = "ada") -> Embedder:
    """Somebody who waits at a page with a queue of its own."""
    queue = f"<presence-queue board=demo user-id={user_id} {attributes}></presence-queue>"
    page = scene.embed(f"{HEAD}{queue}")
    page.page.wait_for_function(f"() => {QUEUE}?.client?.state === 'queued'")
    # The element loads it for those who wait: it is there when this is done.
    page.page.evaluate("() => import('/static/presence-queue-screen.js').then(() => null)")
    return page


def pretend_hidden(page: Embedder, state: str) -> None:
    page.page.evaluate(
        """state => {
        Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }""",
        state,
    )


def test_it_shows_the_place_and_how_long_it_takes(full: Scene) -> None:
    ada = wait_in(full)
    zed = wait_in(full, user_id="zed")
    position = zed.page.get_by_test_id("queue-position")
    expect(position).to_have_text("You are number 2 of 2 in the queue")
    expect(zed.page.get_by_test_id("queue-estimate")).to_be_empty()
    assert zed.page.title() == "2 in the queue · Embedded"
    value = f"{QUEUE}.shadowRoot.querySelector('progress').value"
    assert zed.page.evaluate(value) < 0.2
    zed.page.wait_for_function(f"() => {value} > 0.005")
    eve = wait_in(full, user_id="eve")
    eve_position = eve.page.get_by_test_id("queue-position")
    expect(eve_position).to_have_text("You are number 3 of 3 in the queue")
    full.bob.leave()
    ada.page.wait_for_function(f"() => {QUEUE}.client.state === 'joined'")
    expect(position).to_have_text("You are number 1 of 2 in the queue")
    ada.page.evaluate(f"{QUEUE}.client.leave()")
    zed.page.wait_for_function(f"() => {QUEUE}.client.state === 'joined'")
    expect(eve_position).to_have_text("You are number 1 of 1 in the queue")
    expect(eve.page.get_by_test_id("queue-estimate")).to_have_text("Less than a minute")
    assert eve.page.evaluate(value) > 0.6
    eve.expect_no_complaints()


def test_it_is_seen_only_while_somebody_waits(full: Scene) -> None:
    ada = wait_in(full)
    screen = ada.page.get_by_test_id("queue-screen")
    expect(screen).to_be_visible()
    ada.drop_connection()
    ada.page.wait_for_function(f"() => {QUEUE}.client.state === 'queued'")
    expect(screen).to_be_visible()
    ada.page.get_by_test_id("queue-leave").click()
    expect(screen).to_be_hidden()
    assert ada.page.title() == "Embedded"
    assert ada.page.evaluate(f"{QUEUE}.client.state") == "closed"
    assert ada.page.evaluate("turns") == 0


def test_a_hidden_page_says_that_it_is_ones_turn(full: Scene) -> None:
    ways = "notify='title favicon sound notification'"
    ada = wait_in(full, ways)
    pretend_hidden(ada, "hidden")
    full.bob.leave()
    ada.page.wait_for_function("() => turns === 1")
    icon = "document.querySelector('link[rel=icon]').getAttribute('href')"
    assert ada.page.title() == "Your turn · Embedded"
    assert ada.page.evaluate(icon).startswith("data:image/svg+xml,")
    assert ada.page.evaluate("[shown, tones]") == [["It is your turn"], 1]
    pretend_hidden(ada, "visible")
    assert ada.page.title() == "Embedded"
    assert ada.page.evaluate(icon) == "/static/favicon.svg"
    expect(ada.page.locator("presence-queue")).to_be_hidden()
    ada.expect_no_complaints()


def test_a_page_that_is_seen_needs_no_words(full: Scene) -> None:
    ada = wait_in(full, "notify='title favicon sound notification'")
    full.bob.leave()
    ada.page.wait_for_function("() => turns === 1")
    assert ada.page.title() == "Embedded"
    assert ada.page.evaluate("[shown, tones]") == [[], 0]


def test_it_tells_in_the_ways_that_are_wanted(full: Scene) -> None:
    ada = wait_in(full, "notify=''")
    pretend_hidden(ada, "hidden")
    assert ada.page.title() == "Embedded"
    full.bob.leave()
    ada.page.wait_for_function("() => turns === 1")
    assert ada.page.title() == "Embedded"
    assert ada.page.evaluate("[shown, tones]") == [[], 0]


def test_it_asks_before_it_notifies(full: Scene) -> None:
    ada = wait_in(full, "notify=notification")
    ask = ada.page.get_by_test_id("queue-ask")
    expect(ask).to_be_hidden()
    ada.page.evaluate(f"""() => {{
        Notification.permission = 'default';
        Notification.requestPermission = async () => (Notification.permission = 'granted');
        {QUEUE}.setAttribute('notify', 'notification title');
    }}""")
    ask.click()
    expect(ask).to_be_hidden()
    assert ada.page.evaluate("Notification.permission") == "granted"


def test_bar_and_queue_share_a_client(full: Scene) -> None:
    both = (
        f"{HEAD}<presence-queue board=demo user-id=ada></presence-queue>"
        "<presence-bar board=demo user-id=ada></presence-bar>"
    )
    ada = full.embed(both)
    expect(ada.page.get_by_test_id("queue-screen")).to_be_visible()
    assert ada.sockets() == 1
    assert ada.run(f"bar => bar.client === {QUEUE}.client")


def test_the_bar_shows_who_is_on_the_board_meanwhile(full: Scene) -> None:
    bar = '<script type="module" src="/static/presence-bar.js"></script>'
    bar += "<presence-bar board=demo user-id=ada></presence-bar>"
    ada = full.embed(f"{HEAD}{bar}<presence-queue board=demo user-id=ada></presence-queue>")
    ada.expect_people("bob")
    host = ada.page.locator("presence-bar")
    expect(host).to_have_attribute("data-watching", "")
    people = ada.page.get_by_role("list", name="People on this board, while you wait for a seat")
    expect(people).to_be_visible()
    full.bob.page.get_by_test_id("status-select").select_option("away")
    ada.expect_person("bob", status="away")
    full.bob.rename("Robert")
    expect(ada.page.get_by_role("button", name="Robert, Away")).to_be_visible()
    full.bob.point(800, 450)
    ada.until("bar.client.users.get('bob').cursor?.x > 0")
    full.bob.leave()
    ada.expect_people("ada")
    expect(host).not_to_have_attribute("data-watching", "")
    assert ada.sockets() == 1
    ada.expect_no_complaints()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_narrow_screen_nothing_is_cut_off(full: Scene, scheme: str) -> None:
    queue = "<presence-queue board=demo user-id=ada></presence-queue>"
    page = full.embed(f"{HEAD}{queue}", width=320)
    page.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    expect(page.page.get_by_test_id("queue-leave")).to_be_visible()
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


def test_a_board_without_a_queue_counts_down(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("server")
        settings = {"board__capacity": 1, "queue__enabled": False}
        server = stack.enter_context(serving(folder, **settings))
        bob = Person.at(browser, server, "Bob", "demo")
        bob.expect_people("bob")
        scene = Scene(browser, server, stack)
        scene.board = "demo"
        page = scene.embed(f"{HEAD}<presence-queue board=demo user-id=ada></presence-queue>")
        expect(page.page.get_by_test_id("full-screen")).to_be_visible()
        expect(page.page.get_by_test_id("retry-countdown")).to_contain_text("Trying again in")
        page.page.get_by_test_id("queue-leave").click()
        expect(page.page.get_by_test_id("full-screen")).to_be_hidden()
        bob.context.close()
