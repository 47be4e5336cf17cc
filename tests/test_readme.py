"""What the README says is true: its code runs, its names exist."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from click.testing import CliRunner
from playwright.sync_api import Route, expect, sync_playwright

from presence_server import server
from presence_server.cli import cli
from presence_server.client import connect
from presence_server.protocol.model import Cursor
from presence_server.settings import Settings, setting_kinds
from tests.e2e.browser_kit import CHROMIUM_FLAGS, chromium_path, serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "docs" / "CONTRIBUTING.md").read_text()


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def _answer(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


class TestNames:
    def test_make_targets_exist(self) -> None:
        makefile = (ROOT / "Makefile").read_text()
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", README + CONTRIBUTING):
            if target in ("sure", "up"):
                continue
            assert f"\n{target}:" in makefile, target

    def test_commands_and_their_options_exist(self) -> None:
        lines = [line for block in code("sh") for line in block.splitlines()]
        commands = [line.split("#")[0].split()[1:] for line in lines if "presence-server" in line]
        assert commands
        for words in commands:
            names = [word for word in words if not word.startswith("-")][:1]
            result = CliRunner().invoke(cli, [*names, "--help"])
            assert result.exit_code == 0, words
            for option in (word for word in words if word.startswith("--")):
                assert option in result.output, words

    def test_settings_exist(self) -> None:
        sections = {name.partition(".")[0] for name in setting_kinds()}
        named = re.findall(r"`([a-z]+)\.([a-z_]+)`", README)
        for section, key in named:
            if section in sections:
                assert f"{section}.{key}" in setting_kinds()
        for section, key in re.findall(r"PRESENCE_([A-Z]+)__([A-Z_]+)", README):
            assert f"{section}.{key}".lower().removesuffix("_file") in setting_kinds()

    def test_links_lead_somewhere(self) -> None:
        for text, folder in ((README, ROOT), (CONTRIBUTING, ROOT / "docs")):
            for target in re.findall(r"\]\(([^)#:]+)\)", text):
                assert (folder / target).exists(), target

    def test_paths_exist(self) -> None:
        for path in re.findall(
            r"`((?:presence_server|tests|migrations|config)/[\w/.]*)`", CONTRIBUTING
        ):
            assert (ROOT / path).exists(), path


class TestCode:
    @pytest.mark.e2e
    async def test_python_runs(self, nursery: trio.Nursery, tmp_path: Path) -> None:
        settings = Settings.of(
            {"server.port": 0, "database.url": f"sqlite:///{tmp_path}/presence.db"}
        )
        address = await nursery.start(server.serve, settings)
        where = f"127.0.0.1:{address.port}"
        block, _ = code("python")
        source = block.replace("127.0.0.1:8000", where).replace("trio.run(main)\n", "")
        namespace: dict[str, object] = {}
        exec(compile(source, "README.md", "exec"), namespace)
        main = namespace["main"]
        assert callable(main)
        with trio.fail_after(30):
            async with connect(where, "demo", user_id="me") as client:
                nursery.start_soon(main)
                while "bot" not in client.users or client.users["bot"].cursor is None:
                    await anext(client)
                assert client.users["bot"].cursor == Cursor(120, 80)
                assert client.users["bot"].display_name == "Bot"
        nursery.cancel_scope.cancel()

    @pytest.mark.e2e
    async def test_python_runs_on_asyncio(self, nursery: trio.Nursery, tmp_path: Path) -> None:
        settings = Settings.of(
            {"server.port": 0, "database.url": f"sqlite:///{tmp_path}/presence.db"}
        )
        address = await nursery.start(server.serve, settings)
        where = f"127.0.0.1:{address.port}"
        _, block = code("python")
        program = tmp_path / "clock.py"
        program.write_text(block.replace("127.0.0.1:8000", where))
        with trio.fail_after(30):
            async with connect(where, "demo", user_id="me") as client:
                nursery.start_soon(trio.run_process, [sys.executable, str(program)])
                shown = None
                while shown != {"second": 1}:
                    await anext(client)
                    if "clock" in client.users:
                        shown = msgspec.json.decode(client.users["clock"].metadata)
                assert client.users["clock"].display_name == "Clock"
        nursery.cancel_scope.cancel()

    @pytest.mark.e2e
    @pytest.mark.browser
    def test_html_runs(self, tmp_path: Path) -> None:
        (html,) = code("html")
        assert len(html.splitlines()) == 5
        with serving(tmp_path) as process, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium_path(),
                # The pages are made up, so Chromium cannot know that they are local.
                args=[*CHROMIUM_FLAGS, "--disable-features=LocalNetworkAccessChecks"],
            )
            ada, grace = browser.new_page(), browser.new_page()
            for page, body in (
                (ada, html),
                (grace, html.replace('"ada"', '"grace"').replace("Ada", "Grace")),
            ):
                body = f"<!doctype html><body>{body}"
                page.route("**/page", partial(_answer, body))
                page.goto(f"{process.url}/page")
            expect(ada.get_by_role("button", name="Grace")).to_be_visible()
            grace.get_by_text("My page").hover()
            expect(ada.locator("presence-cursors").get_by_text("Grace")).to_be_visible()
            browser.close()
