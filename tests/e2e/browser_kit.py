"""What the browser tests are made of: a server process, browsers, people in them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    WebSocket,
    expect,
)

from tests import programs
from tests.command import server_command

READY_WITHIN_S = 90.0
SHOWN_WITHIN_MS = 15_000
CHROMIUM_FLAGS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Lets a test drop the page's connection as a network would.
_REMEMBER_SOCKETS = """
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...args) { super(...args); window.sockets.push(this); }
    };
"""

expect.set_options(timeout=SHOWN_WITHIN_MS)


# --- the server ---------------------------------------------------------------


class ServerProcess:
    """A running ``presence-server serve``."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url

    def board(self, board_id: str, **query: str) -> str:
        """The address of a board's page."""
        return f"{self.url}/boards/{board_id}?{urllib.parse.urlencode(query)}"

    def delete(self, path: str, token: str) -> int:
        """Send a DELETE as the administrator; the status of the answer."""
        request = urllib.request.Request(self.url + path, method="DELETE")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[ServerProcess]:
    """A server with these settings (``board__capacity=2``), its files in ``folder``."""
    environment = {key: value for key, value in os.environ.items() if "PRESENCE" not in key}
    environment["PRESENCE_SERVER__PORT"] = "0"
    environment["PRESENCE_LOGGING__FORMAT"] = "json"
    environment["PRESENCE_DATABASE__URL"] = f"sqlite:///{folder}/presence.db"
    for key, value in settings.items():
        text = json.dumps(value) if isinstance(value, bool | list) else str(value)
        environment[f"PRESENCE_{key.upper()}"] = text
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            server_command("serve"),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _address_in(folder / "server.log", process)
        yield ServerProcess(process, url)
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=15)


def _address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the server says that it listens; it chose the port itself."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines(keepends=True):
            if '"listening"' in line and line.endswith("\n"):
                return str(json.loads(line)["url"])
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


# --- browsers -----------------------------------------------------------------


def chromium_path() -> str:
    """The browser to drive."""
    found = programs.chromium()
    assert found is not None
    return str(found)


def launch(playwright: Playwright) -> Browser:
    """A browser of Playwright's."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)


class ChromiumProcess:
    """A browser in a process group of its own, which is driven over the DevTools protocol.

    Args:
        folder: for its profile.

    Attributes:
        address: of its socket.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [
                chromium_path(),
                *CHROMIUM_FLAGS,
                "--headless",
                "--remote-debugging-port=0",
                f"--user-data-dir={folder}",
            ],
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        self._said = self._process.stderr
        self.address = self._read_address()
        # What it says later must not fill the pipe and stop it.
        self._reader = threading.Thread(target=self._said.read, daemon=True)
        self._reader.start()

    def _read_address(self) -> str:
        for line in self._said:
            if found := re.search(rb"ws://\S+", line):
                return found[0].decode()
        raise AssertionError("Chromium ended before it said where to reach it")

    def kill(self) -> None:
        """As the kernel does it when memory runs out: no goodbye to anybody."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=15)
        self._reader.join(timeout=15)
        self._said.close()


class MortalBrowser:
    """A browser that can be killed."""

    def __init__(self, playwright: Playwright, folder: Path) -> None:
        self._process = ChromiumProcess(folder)
        self.browser = playwright.chromium.connect_over_cdp(self._process.address)

    def kill(self) -> None:
        self._process.kill()


# --- people -------------------------------------------------------------------


class Person:
    """Somebody at a browser window, and every event their page was sent."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.warnings: list[str] = []
        self.page.add_init_script(_REMEMBER_SOCKETS)
        self.page.on("websocket", self._listen)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)

    @classmethod
    def at(cls, browser: Browser, server: ServerProcess, name: str, board: str = "demo") -> Person:
        """Somebody new at a browser of their own; their user_id is the name in lower case."""
        address = server.board(board, user_id=name.lower(), display_name=name)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        return cls(context, address)

    def _listen(self, websocket: WebSocket) -> None:
        websocket.on("framereceived", self._record)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "warning":
            self.warnings.append(message.text)

    def _record(self, frame: bytes | str) -> None:
        if isinstance(frame, str):
            self.events.append(json.loads(frame))

    # --- what they do ---

    def point(self, x: float, y: float) -> None:
        """Point at a place on the board, in board units."""
        box = self.page.locator("#stage").bounding_box()
        assert box is not None
        scale = box["width"] / 1600
        self.page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)

    def drop_connection(self) -> None:
        """End the page's socket with a code that tells the server nothing."""
        self.page.evaluate("window.sockets.at(-1).close(4000)")

    def notice_network(self) -> None:
        """Have the page try again now. On a busy machine its next attempt may be far away."""
        self.page.evaluate("window.dispatchEvent(new Event('online'))")

    def rename(self, name: str) -> None:
        """Save another name under "Your name"."""
        self.page.get_by_test_id("profile-button").click()
        self.page.get_by_test_id("name-input").fill(name)
        self.page.get_by_test_id("profile-save").click()

    def leave(self) -> None:
        self.page.get_by_test_id("leave-button").click()

    # --- what they see ---

    def expect_state(self, state: str) -> None:
        pill = self.page.get_by_test_id("connection-state")
        expect(pill).to_have_attribute("data-state", state)

    def expect_resumed(self) -> None:
        """The page's connection was lost, and its session goes on."""
        # A function, because the page's policy forbids to evaluate a string.
        self.page.wait_for_function("() => presence.status.resumed === true")

    def expect_screen(self, name: str) -> None:
        expect(self.page.get_by_test_id(f"{name}-screen")).to_be_visible()

    def expect_people(self, *user_ids: str) -> None:
        """Exactly these are in the presence bar."""
        shown = self.page.get_by_test_id("presence-user")
        expect(shown).to_have_count(len(user_ids))
        for user_id in user_ids:
            expect(self.page.locator(f"[data-user-id='{user_id}']")).to_be_visible()

    def expect_person(self, user_id: str, **attributes: str) -> None:
        """Somebody in the bar looks like this (``status="idle"``, ``connected="false"``)."""
        entry = self.page.locator(f"[data-user-id='{user_id}']")
        for name, value in attributes.items():
            expect(entry).to_have_attribute(f"data-{name}", value)

    def expect_cursor(self, user_id: str, x: float, y: float) -> None:
        """Somebody's cursor is here, in board units, give or take two of them."""
        self.page.wait_for_function(
            """([id, x, y]) => {
                const at = window.presence.users.get(id)?.cursor;
                const { shadowRoot } = document.querySelector('presence-cursors');
                return at && Math.abs(1600 * at.x - x) <= 2 && Math.abs(900 * at.y - y) <= 2
                    && shadowRoot.querySelector(`[data-cursor-user="${id}"]`);
            }""",
            arg=[user_id, x, y],
            timeout=SHOWN_WITHIN_MS,
        )

    def told(self, *types: str) -> list[dict[str, Any]]:
        """The payloads of these events, as far as they came."""
        self.page.evaluate("0")  # lets Playwright deliver what it has
        return [event["payload"] for event in self.events if event["type"] in types]

    def expect_no_complaints(self) -> None:
        assert self.complaints == []
