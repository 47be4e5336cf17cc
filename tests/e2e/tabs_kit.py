"""Chromium with the tabs that a person has: of one window, one is seen, and the others are hidden.

Playwright pretends that each of its pages is seen and has the focus. So this browser is driven over
the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) itself.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.e2e.browser_kit import SHOWN_WITHIN_MS, ChromiumProcess

PATIENCE_S = 60.0
"""How long the browser may take for a command."""


class TabbedBrowser:
    """One window of a browser, and its tabs."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def send(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """Send a command, to a tab if its session is named, and return the result."""
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer}"
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, address: str) -> Tab:
        """Open a tab, which comes to the front."""
        made = self.send("Target.createTarget", url=address)
        return Tab(self, made["targetId"])


class Tab:
    """One tab."""

    def __init__(self, browser: TabbedBrowser, target: str) -> None:
        self._browser = browser
        self._target = target
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str = attached["sessionId"]

    def show(self) -> None:
        """Switch to this tab, as a click on it does."""
        self._browser.send("Target.activateTarget", targetId=self._target)

    def run(self, expression: str) -> Any:
        """The value of an expression in the page."""
        params = {"expression": expression, "returnByValue": True}
        found = self._browser.send("Runtime.evaluate", self._session, **params)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true; it may fail before the page has loaded."""
        guarded = (
            f"(() => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }})()"
        )
        deadline = time.monotonic() + SHOWN_WITHIN_MS / 1000
        while not self.run(guarded):
            assert time.monotonic() < deadline, f"{condition}: not so"
            time.sleep(0.05)


@contextmanager
def tabbed_browser(folder: Path) -> Iterator[TabbedBrowser]:
    """A browser of its own.

    Args:
        folder: for its profile.
    """
    process = ChromiumProcess(folder)
    try:
        with connect(process.address, max_size=None, proxy=None) as socket:
            yield TabbedBrowser(socket)
    finally:
        process.kill()
