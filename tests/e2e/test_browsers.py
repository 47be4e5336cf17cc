"""Real browsers on a real server: what people see of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, Request, expect

from tests.e2e.browser_kit import MortalBrowser, Person, ServerProcess, serving
from tests.e2e.relay import PrefixRelay, Relay
from tests.keys import SECRET, token

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

Serve = Callable[..., ServerProcess]
Shoot = Callable[[Person, str], None]
ABOUT_SOMEBODY = ("user:joined", "user:left", "presence:update")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(tmp_path, **settings))


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Shoot:
    """Take a picture for the reader of a failure, or of the documentation."""
    folder = Path(__file__).parent / "screenshots" / request.node.name

    def take(person: Person, name: str) -> None:
        person.page.screenshot(path=folder / f"{name}.png")
        print(f"screenshot: {folder / name}.png")

    return take


@pytest.fixture
def meet(browser: Browser) -> Iterator[Callable[[ServerProcess, str], Person]]:
    """Bring somebody to the board, and see that their page stays without errors."""
    people: list[Person] = []

    def come(server: ServerProcess, name: str) -> Person:
        people.append(Person.at(browser, server, name))
        return people[-1]

    yield come
    for person in people:
        person.context.close()
        person.expect_no_complaints()


Meet = Callable[[ServerProcess, str], Person]


def test_two_people_see_each_other_point_and_change_status(
    serve: Serve, meet: Meet, shoot: Shoot
) -> None:
    server = serve()
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    for person in (ada, bob):
        person.expect_state("live")
        person.expect_people("ada", "bob")

    ada.point(400, 300)
    bob.expect_cursor("ada", 400, 300)
    for x in range(500, 800, 20):
        ada.point(x, 500)
    bob.expect_cursor("ada", 780, 500)
    shoot(bob, "ada-points")

    ada.page.get_by_test_id("status-select").select_option("idle")
    bob.expect_person("ada", status="idle")
    ada.point(810, 500)  # a status chosen by hand outlasts a movement
    bob.expect_cursor("ada", 810, 500)
    bob.expect_person("ada", status="idle")
    ada.page.get_by_test_id("status-select").select_option("away")
    bob.expect_person("ada", status="away")
    shoot(bob, "ada-away")
    ada.page.get_by_test_id("status-select").select_option("online")
    bob.expect_person("ada", status="online")


def test_people_chat_on_the_board_and_follow_each_other(
    serve: Serve, meet: Meet, shoot: Shoot
) -> None:
    server = serve()
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    ada.point(400, 300)
    bob.expect_cursor("ada", 400, 300)
    ada.page.keyboard.press("/")
    expect(ada.page.get_by_role("textbox", name="Say something")).to_be_focused()
    ada.page.keyboard.type("Here?")
    expect(bob.page.get_by_test_id("presence-saying")).to_have_text("Here?")
    shoot(bob, "ada-says")
    bob.page.locator("[data-user-id=ada] button").click()
    bob.page.get_by_role("button", name="Follow").click()
    expect(bob.page.get_by_test_id("presence-following")).to_contain_text("Following Ada")
    expect(ada.page.get_by_test_id("presence-followers")).to_contain_text("1 follows you")
    shoot(bob, "bob-follows")
    shoot(ada, "ada-leads")


def test_a_new_name_costs_nobody_the_seat(serve: Serve, meet: Meet, shoot: Shoot) -> None:
    server = serve(board__capacity=1)
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    ada.expect_people("ada")
    bob.expect_screen("queue")
    ada.rename("Ada Lovelace")
    expect(ada.page.get_by_role("button", name="Ada Lovelace (you), Online")).to_be_visible()
    expect(ada.page.get_by_test_id("profile-button")).to_contain_text("Ada Lovelace")
    bob.rename("Robert")
    bob.expect_screen("queue")
    assert bob.told("board:joined") == []
    shoot(ada, "renamed")
    ada.leave()
    bob.expect_people("bob")
    expect(bob.page.get_by_role("button", name="Robert (you), Online")).to_be_visible()


def test_a_clean_leave_shows_at_once_and_one_can_rejoin(
    serve: Serve, meet: Meet, shoot: Shoot
) -> None:
    server = serve(board__leave_grace_s=30)
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    ada.leave()
    ada.expect_screen("left")
    ada.expect_state("left")
    bob.expect_people("bob")
    assert [left["reason"] for left in bob.told("user:left")] == ["disconnect"]
    shoot(ada, "left")
    ada.page.get_by_test_id("rejoin-button").click()
    ada.expect_state("live")
    bob.expect_people("ada", "bob")


def test_a_closed_tab_leaves_after_the_grace(serve: Serve, meet: Meet) -> None:
    server = serve(board__leave_grace_s=0.5)
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    ada.page.close()
    bob.expect_people("bob")
    assert [left["reason"] for left in bob.told("user:left")] == ["disconnect"]


def test_a_reload_shows_the_others_nothing(serve: Serve, meet: Meet) -> None:
    server = serve(board__leave_grace_s=20)
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    ada.point(200, 200)
    bob.expect_cursor("ada", 200, 200)
    seen = len(bob.told(*ABOUT_SOMEBODY))
    for _ in range(2):
        ada.page.reload()
        ada.expect_state("live")
        assert ada.told("board:joined")[-1]["resumed"] is True
    ada.point(600, 400)
    bob.expect_cursor("ada", 600, 400)  # whatever the reloads caused has come by now
    assert bob.told(*ABOUT_SOMEBODY)[seen:] == []


def test_a_dropped_connection_resumes_and_the_others_notice_nothing(
    serve: Serve, meet: Meet
) -> None:
    server = serve(board__reconnecting_after_s=20)
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    ada.point(200, 200)
    bob.expect_cursor("ada", 200, 200)
    seen = len(bob.told(*ABOUT_SOMEBODY))
    ada.drop_connection()
    ada.expect_resumed()
    ada.expect_people("ada", "bob")
    ada.point(600, 400)
    bob.expect_cursor("ada", 600, 400)
    assert bob.told(*ABOUT_SOMEBODY)[seen:] == []


def test_a_longer_outage_shows_as_reconnecting_and_ends_without_a_leave(
    serve: Serve, meet: Meet, shoot: Shoot
) -> None:
    server = serve(board__reconnecting_after_s=0.3)
    bob = meet(server, "Bob")
    with Relay(server.url) as network:
        ada = meet(ServerProcess(server.process, network.url), "Ada")
        ada.expect_state("live")
        bob.expect_people("ada", "bob")
        seen = len(bob.told("user:joined", "user:left"))
        network.cut()
        bob.expect_person("ada", connected="false")
        ada.expect_state("reconnecting")
        shoot(bob, "ada-reconnecting")
        shoot(ada, "reconnecting")
        network.restore()
        ada.expect_state("live")
        ada.expect_resumed()
        ada.expect_people("ada", "bob")
        bob.expect_person("ada", connected="true")
        assert bob.told("user:joined", "user:left")[seen:] == []


def test_a_server_restart_is_seen_by_nobody(browser: Browser, tmp_path: Path, shoot: Shoot) -> None:
    settings = {"server__drain_timeout_s": 1, "board__reconnecting_after_s": 20}
    with ExitStack() as first, Relay("http://127.0.0.1:9") as network:
        network.restore(first.enter_context(serving(tmp_path, **settings)).url)
        address = f"{network.url}/boards/demo?user_id="
        ada = Person(browser.new_context(), f"{address}ada")
        ada.expect_state("live")
        bob = Person(browser.new_context(), f"{address}bob")
        bob.expect_people("ada", "bob")
        ada.expect_people("ada", "bob")
        bob.point(200, 200)
        ada.expect_cursor("bob", 200, 200)
        seen = len(ada.told(*ABOUT_SOMEBODY))
        first.close()
        network.cut()
        ada.expect_state("reconnecting")
        shoot(ada, "server-gone")
        with serving(tmp_path, **settings) as second:
            network.restore(second.url)
            for person in (ada, bob):
                person.notice_network()
                person.expect_state("live")
                person.expect_resumed()
                person.expect_people("ada", "bob")
            bob.point(500, 500)
            ada.expect_cursor("bob", 500, 500)
            assert ada.told(*ABOUT_SOMEBODY)[seen:] == []
            for person in (ada, bob):
                person.context.close()
                person.expect_no_complaints()


def test_a_killed_browser_shows_as_reconnecting_and_then_times_out(
    serve: Serve, meet: Meet, shoot: Shoot, playwright: Playwright, tmp_path: Path
) -> None:
    server = serve(
        board__reconnecting_after_s=0.3,
        board__heartbeat_interval_s=1,
        board__timeout_s=5,
    )
    bob = meet(server, "Bob")
    mortal = MortalBrowser(playwright, tmp_path / "profile")
    try:
        ada = Person.at(mortal.browser, server, "Ada")
        ada.expect_state("live")
        bob.expect_people("ada", "bob")
    finally:
        mortal.kill()
    bob.expect_person("ada", connected="false")
    shoot(bob, "ada-killed")
    bob.expect_people("bob")
    assert [left["reason"] for left in bob.told("user:left")] == ["timeout"]


def test_a_full_board_queues_and_admits_in_order(serve: Serve, meet: Meet, shoot: Shoot) -> None:
    server = serve(board__capacity=2)
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    ada.expect_people("ada", "bob")
    cyd = meet(server, "Cyd")
    cyd.expect_screen("queue")
    dan = meet(server, "Dan")
    dan.expect_screen("queue")
    position = dan.page.get_by_test_id("queue-position")
    expect(position).to_have_text("You are number 2 of 2 in the queue")
    shoot(dan, "queue")

    bob.leave()
    cyd.expect_state("live")
    cyd.expect_people("ada", "cyd")
    ada.expect_people("ada", "cyd")
    expect(position).to_have_text("You are number 1 of 1 in the queue")

    dan.page.reload()  # keeps the place
    expect(position).to_have_text("You are number 1 of 1 in the queue")
    ada.leave()
    dan.expect_state("live")
    dan.expect_people("cyd", "dan")


def test_a_full_board_without_a_queue_counts_down_and_tries_again(
    serve: Serve, meet: Meet, shoot: Shoot
) -> None:
    server = serve(board__capacity=1, queue__enabled=False)
    ada = meet(server, "Ada")
    ada.expect_state("live")
    bob = meet(server, "Bob")
    bob.expect_screen("full")
    expect(bob.page.get_by_test_id("retry-countdown")).to_contain_text("Trying again")
    shoot(bob, "full")
    ada.leave()
    bob.expect_state("live")
    bob.expect_people("bob")


def test_tabs_of_one_browser_are_one_person(serve: Serve, meet: Meet, browser: Browser) -> None:
    server = serve(board__leave_grace_s=0.2)
    bob = meet(server, "Bob")
    context = browser.new_context()
    first = Person(context, server.board("demo"))
    first.expect_state("live")
    second = Person(context, server.board("demo"))
    second.expect_state("live")
    expect(bob.page.get_by_test_id("presence-user")).to_have_count(2)
    first.page.close()
    second.point(300, 300)
    user_id = second.page.evaluate("presence.userId")
    bob.expect_cursor(user_id, 300, 300)
    assert bob.told("user:left") == []
    context.close()


def test_a_session_that_goes_on_elsewhere_says_so(serve: Serve, meet: Meet, shoot: Shoot) -> None:
    server = serve()
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    seen = len(bob.told(*ABOUT_SOMEBODY))
    session_id = ada.told("board:joined")[0]["session_id"]
    thief = Person(ada.context, f"{server.url}/static/favicon.svg")
    thief.page.evaluate("id => sessionStorage.setItem('presence:session:demo', id)", session_id)
    thief.page.goto(server.board("demo", user_id="ada", display_name="Ada"))
    thief.expect_state("live")
    ada.expect_screen("elsewhere")
    shoot(ada, "elsewhere")
    assert bob.told(*ABOUT_SOMEBODY)[seen:] == []


def test_somebody_kicked_is_told(serve: Serve, meet: Meet, shoot: Shoot) -> None:
    server = serve(auth__admin_token="the administrator's token, long enough")
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    server.delete("/api/boards/demo/users/ada", "the administrator's token, long enough")
    ada.expect_screen("kicked")
    bob.expect_people("bob")
    assert [left["reason"] for left in bob.told("user:left")] == ["kicked"]
    shoot(ada, "kicked")


@pytest.mark.parametrize("mark", ["#", "?"])
def test_a_token_leaves_the_address_of_the_page_and_outlasts_a_reload(
    serve: Serve, browser: Browser, mark: str
) -> None:
    server = serve(auth__mode="jwt", auth__jwt_secret=SECRET)
    mine = token("ada", name="Ada", exp=4_000_000_000)
    context = browser.new_context()
    asked: list[Request] = []
    context.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - it wants a function
    ada = Person(context, f"{server.url}/boards/demo{mark}token={mine}")
    for _ in range(2):
        ada.expect_state("live")
        ada.expect_people("ada")
        assert ada.page.url == f"{server.url}/boards/demo"
        ada.page.reload()
    ada.expect_state("live")
    first, *others = [[request.url, *request.all_headers().values()] for request in asked]
    assert others
    assert not any(mine in text for told in others for text in told)
    assert any(mine in text for text in first) is (mark == "?")
    context.close()
    ada.expect_no_complaints()


def test_a_clock_that_is_set_back_stops_nothing(serve: Serve, meet: Meet) -> None:
    server = serve()
    ada, bob = meet(server, "Ada"), meet(server, "Bob")
    bob.expect_people("ada", "bob")
    ada.point(100, 100)
    bob.expect_cursor("ada", 100, 100)
    ada.page.evaluate("(real => { Date.now = () => real() - 3_600_000; })(Date.now)")
    ada.point(300, 300)
    bob.expect_cursor("ada", 300, 300)
    ada.page.get_by_test_id("status-select").select_option("away")
    bob.expect_person("ada", status="away")


@pytest.mark.parametrize("prefix", ["/presence", "/a/boards"])
@pytest.mark.parametrize("page", ["/", "/boards/demo"])
def test_the_demo_works_below_a_path(
    serve: Serve, browser: Browser, prefix: str, page: str
) -> None:
    with PrefixRelay(serve().url, prefix) as proxy:
        context = browser.new_context()
        failed: list[str] = []
        context.on(
            "response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None
        )
        ada = Person(context, f"{proxy.url}{page}?user_id=ada&display_name=Ada")
        ada.expect_state("live")
        ada.expect_people("ada")
        assert ada.page.evaluate("presence.board") == "demo"
        assert (
            ada.page.evaluate("getComputedStyle(document.querySelector('.top')).display") == "flex"
        )
        assert failed == []
        ada.expect_no_complaints()
        context.close()
