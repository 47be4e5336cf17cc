"""Firefox, and people at its windows.

It is driven over WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/).
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests import programs

PATIENCE_S = 60.0
"""How long the browser may take for a command, or a page for what is waited for."""

_REMEMBER = """() => {
    window.sockets = [];
    window.heard = [];
    window.WebSocket = class extends WebSocket {
        constructor(...args) {
            super(...args);
            window.sockets.push(this);
            this.addEventListener('message', ({ data }) => {
                if (typeof data === 'string') window.heard.push(JSON.parse(data));
            });
        }
    };
}"""
_ABOUT_SOMEBODY = ["user:joined", "user:left", "presence:update"]
_KEYS = {"Escape": "\ue00c", "ArrowDown": "\ue015", "End": "\ue010"}


class Firefox:
    """One browser process and its session.

    Args:
        folder: for its profile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._socket: ClientConnection
        self.log: list[dict[str, Any]] = []
        """What pages wrote to the console, and their uncaught errors."""

    def __enter__(self) -> Self:
        with self._stack:
            self._socket = self._stack.enter_context(self._started())
            self.send("session.new", capabilities={})
            self.send("session.subscribe", events=["log.entryAdded"])
            self.send("script.addPreloadScript", functionDeclaration=_REMEMBER)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @contextmanager
    def _started(self) -> Iterator[ClientConnection]:
        """A process, and the connection to it."""
        program = programs.firefox()
        assert program is not None
        options = ["--headless", "--no-remote", "--remote-debugging-port=0"]
        process = subprocess.Popen(
            [str(program), *options, "--profile", str(self._folder), "about:blank"],
            env={**os.environ, "HOME": str(self._folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stderr is not None
        # What it says later must not fill the pipe and stop it.
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        # Without this a browser that does not start would be waited for without an end.
        late = threading.Timer(2 * PATIENCE_S, process.kill)
        late.start()
        try:
            said = (re.search(rb"BiDi listening on (ws://\S+)", line) for line in process.stderr)
            found = next(filter(None, said), None)
            assert found is not None, "Firefox ended before it said where to reach it"
            late.cancel()
            reader.start()
            with connect(f"{found[1].decode()}/session", max_size=None, proxy=None) as socket:
                yield socket
        finally:
            late.cancel()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=PATIENCE_S)
            if reader.is_alive():
                reader.join(timeout=PATIENCE_S)
            process.stderr.close()

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and return its result; events that come before it are kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("id") == number:
                assert message["type"] == "success", f"{method}: {message}"
                result: dict[str, Any] = message["result"]
                return result
            if message.get("method") == "log.entryAdded":
                self.log.append(message["params"])

    def visit(self, address: str) -> Visitor:
        """Somebody new in a window of their own, with storage of their own, at an address."""
        user = self.send("browser.createUserContext")["userContext"]
        made = self.send("browsingContext.create", type="window", userContext=user)
        visitor = Visitor(self, made["context"])
        visitor.goto(address)
        return visitor


class Visitor:
    """Somebody at a window of Firefox."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox = firefox
        self._context = context

    def close(self) -> None:
        """Close the window."""
        self._firefox.send("browsingContext.close", context=self._context)

    # --- what they do ---

    def goto(self, address: str) -> None:
        """Go to an address, and wait until the page has loaded."""
        self._firefox.send(
            "browsingContext.navigate", context=self._context, url=address, wait="complete"
        )

    def reload(self) -> None:
        """Load the page again."""
        self._firefox.send("browsingContext.reload", context=self._context, wait="complete")

    def back(self) -> None:
        """Go one page back in the history."""
        self._firefox.send("browsingContext.traverseHistory", context=self._context, delta=-1)

    def point(self, selector: str, across: float, down: float) -> None:
        """Move the pointer to a place in an element, in fractions of its size."""
        x, y = self.run(
            f"""(() => {{
            const box = document.querySelector('{selector}').getBoundingClientRect();
            return [box.x + box.width * {across}, box.y + box.height * {down}].map(Math.round);
        }})()"""
        )
        self._pointer({"type": "pointerMove", "x": x, "y": y})

    def click(self, element: str) -> None:
        """Click on the middle of an element, which an expression names."""
        x, y = self.run(
            f"""(() => {{
            const box = ({element}).getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2].map(Math.round);
        }})()"""
        )
        press, release = ({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))
        self._pointer({"type": "pointerMove", "x": x, "y": y}, press, release)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, and let each go."""
        values = [_KEYS.get(key, key) for key in keys]
        ways = ("keyDown", "keyUp")
        actions = [{"type": way, "value": value} for value in values for way in ways]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def _pointer(self, *actions: dict[str, object]) -> None:
        self._act({"type": "pointer", "id": "mouse", "actions": list(actions)})

    def _act(self, source: dict[str, object]) -> None:
        self._firefox.send("input.performActions", context=self._context, actions=[source])

    # --- what they see ---

    def run(self, expression: str) -> Any:
        """The value of an expression in the page, or of the promise that it is."""
        found = self._firefox.send(
            "script.evaluate",
            # As JSON: the protocol's own form of values has a type with each of them.
            expression=f"Promise.resolve({expression}).then(it => JSON.stringify(it ?? null))",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert found["type"] == "success", found["exceptionDetails"]["text"]
        return json.loads(found["result"]["value"])

    def until(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        came = self.run(
            f"""new Promise(done => {{
            const end = performance.now() + {1000 * PATIENCE_S / 2};
            (function look() {{
                let value = false;
                try {{ value = {condition}; }} catch {{ /* It is not there yet. */ }}
                if (value || performance.now() > end) done(Boolean(value));
                else setTimeout(look, 50);
            }})();
        }})"""
        )
        assert came, f"{condition}: not so after {PATIENCE_S / 2} s"

    def news(self) -> list[dict[str, Any]]:
        """What the page was told of others since the last time."""
        heard: list[dict[str, Any]] = self.run("window.heard.splice(0)")
        return [event for event in heard if event["type"] in _ABOUT_SOMEBODY]
