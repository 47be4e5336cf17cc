"""``<presence-debug>`` beside a bar, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.embedding_kit import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PAGE = """<script type="module" src="/static/presence-debug.js"></script>
<presence-bar board=demo user-id=ada></presence-bar>
<presence-debug board=demo user-id=ada lines=3></presence-debug>"""


def test_the_panel_shows_the_client_of_the_bar_and_drops_its_connection(observed: Scene) -> None:
    ada = observed.embed(PAGE)
    ada.expect_joined(2)
    panel = ada.page.locator("presence-debug")
    expect(panel.locator("[data-fact=state]")).to_have_text("joined")
    expect(panel.locator("[data-fact=user]")).to_have_text("ada")
    expect(panel.locator("[data-fact=people]")).to_have_text("2, 2 connected")
    expect(panel.locator("[data-fact='round trip']")).to_contain_text("ms")
    assert ada.sockets() == 1
    observed.bob.expect_people("bob", "ada")
    observed.news()
    panel.get_by_role("button", name="Drop").click()
    expect(panel.locator("[data-fact=status]")).to_contain_text("resumed true")
    assert ada.sockets() == 2
    assert all("status" in event for event in observed.news())  # of nobody who came or left
    expect(panel.locator("li")).to_have_count(3)
    panel.get_by_role("button", name="Leave").click()
    expect(panel.locator("[data-fact=state]")).to_have_text("closed")
    panel.get_by_role("button", name="Connect").click()
    expect(panel.locator("[data-fact=state]")).to_have_text("joined")
    ada.expect_no_complaints()
