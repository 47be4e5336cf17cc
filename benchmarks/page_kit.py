"""Pages that embed the elements, in Chromium, and what their browser says of them."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from playwright.sync_api import CDPSession, Page
from typing_extensions import override

CROWD = """count => {
    const bar = document.querySelector('presence-bar');
    const statuses = ['online', 'idle', 'away'];
    const users = new Map();
    for (let n = 0; n < count; n += 1) users.set(`u${n}`, {
        user_id: `u${n}`, display_name: `Person ${n}`, avatar_url: null, color: '#1d4ed8',
        status: statuses[n % 3], connected: true, cursor: null, metadata: null, joined_at: n,
    });
    const client = Object.assign(new EventTarget(), { users, state: 'joined', userId: 'u0' });
    bar.client = client;
    let changes = 0;
    window.changeSomebody = () => {
        const user = { ...users.get(`u${changes % 5}`), status: statuses[changes % 2] };
        changes += 1;
        users.set(user.user_id, user);
        client.dispatchEvent(new CustomEvent('users', { detail: { kind: 'updated', user } }));
    };
}"""
"""Gives the bar a client that shows many people, and changes the status of one who is seen."""

FIRST_AVATAR = """
    (function look() {
        const root = document.querySelector('presence-bar')?.shadowRoot;
        if (root?.querySelector('[data-testid=presence-user]')) {
            // The frame after the one that the avatar is in: that one is on the screen then.
            requestAnimationFrame(() => { window.firstAvatarAt = performance.now(); });
        } else requestAnimationFrame(look);
    })();
"""
"""Notes when the first avatar was on the screen, in milliseconds since the navigation."""


class Site:
    """A site with pages of its own, which browsers may keep for an hour.

    Args:
        pages: their HTML by their names.
    """

    def __init__(self, pages: Mapping[str, str]) -> None:
        self.paths = {name: f"/{number}" for number, name in enumerate(pages)}
        bodies = {self.paths[name]: html.encode() for name, html in pages.items()}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = bodies.get(self.path, b"")
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "max-age=3600")
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Gauge:
    """What Chromium counts of one page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read(self) -> Mapping[str, float]:
        """The counters; CPU times of the main thread in seconds."""
        found: dict[str, Any] = self._cdp.send("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in found["metrics"]}

    def cpu_ms(self, seconds: float, script: str = "0") -> float:
        """CPU time of the main thread, in ms, while this script has begun and so long."""
        before = self.read()
        self._page.evaluate(script)
        self._page.wait_for_timeout(1000 * seconds)
        after = self.read()
        return 1000 * (after["TaskDuration"] - before["TaskDuration"])

    def heap(self) -> tuple[float, int, int]:
        """MB of the heap after a collection, nodes, and listeners."""
        self._cdp.send("HeapProfiler.collectGarbage")
        found = self.read()
        nodes, listeners = int(found["Nodes"]), int(found["JSEventListeners"])
        return found["JSHeapUsedSize"] / 1e6, nodes, listeners


def shown(values: Sequence[float]) -> str:
    """Median, and the range of nine of ten."""
    ordered = sorted(values)
    p90 = ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))]
    return f"median {statistics.median(ordered):.1f}, p90 {p90:.1f}, max {ordered[-1]:.1f}"
