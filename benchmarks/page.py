"""What a page with the elements costs, in Chromium: ``make bench-page``, or ``ARGS=--short``.

First avatar: from the navigation to the frame with the first avatar, over a network with a round
trip of 100 ms and without TLS; cold with an empty cache, warm with what the first visit left in it,
over new connections. Wire to pixel: from a call of ``setStatus`` on one page to the frame with the
dot on another. CPU: of the page's main thread, beside the same page with nothing to do. Wall times
depend on the machine, whose load is shown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

from playwright.sync_api import Browser, sync_playwright

from benchmarks.page_kit import CROWD, FIRST_AVATAR, Gauge, Site, shown
from benchmarks.slow_network import SlowNetwork
from benchmarks.subject import Subject, running_server
from presence_server.web.static_files import packaged
from presence_server.web.static_site import StaticSite
from tests.e2e.browser_kit import launch

ROUND_TRIP_S = 0.1
CHANGES_PER_S = 10
HEAD = '<!doctype html><meta charset="utf-8"><title>Page</title>'
BAR = '<presence-bar board="page" user-id="ada" display-name="Ada"></presence-bar>'
SCRIPT = '<script type="module" src="{}"></script>'
BARE = """<presence-bar></presence-bar><script>
const place = document.querySelector('presence-bar').attachShadow({mode: 'open'})
const socket = new WebSocket('ADDRESS/ws/boards/page?user_id=ada'.replace('http', 'ws'))
socket.onmessage = () => { place.innerHTML = '<b data-testid="presence-user">A</b>' }
</script>"""
"""Shows a letter with the first event: what the network, the browser and the server take alone."""
DEMO = "the demo board"


def embeddings(server: str) -> dict[str, str]:
    """Pages of another site with a bar, by how its code comes.

    Args:
        server: the address of the presence server.
    """
    modules = sorted(
        name for name in packaged() if name.startswith("presence-") and name.endswith(".js")
    )
    static = f"{server}/static"
    links = "".join(f'<link rel="modulepreload" href="{static}/{name}">' for name in modules)
    versioned = f"{static}/v/{StaticSite({}).version}"
    return {
        "modules": HEAD + SCRIPT.format(f"{static}/presence-bar.js") + BAR,
        "modules, preloaded": HEAD + links + SCRIPT.format(f"{static}/presence-bar.js") + BAR,
        "bundle": HEAD + SCRIPT.format(f"{static}/dist/presence.js") + BAR,
        "bundle by version": HEAD + SCRIPT.format(f"{versioned}/dist/presence.js") + BAR,
        "no code, a socket": HEAD + BARE.replace("ADDRESS", server),
    }


def first_avatars(browser: Browser, server: Subject, visits: int) -> None:
    """Print when the first avatar is there, cold and warm, and what is transferred."""
    with (
        SlowNetwork(server.host, server.port, ROUND_TRIP_S) as to_server,
        Site(embeddings(to_server.url)) as site,
        SlowNetwork("127.0.0.1", site.port, ROUND_TRIP_S) as to_site,
    ):
        addresses = {name: f"{to_site.url}{path}" for name, path in site.paths.items()}
        addresses[DEMO] = f"{to_server.url}/boards/page?user_id=ada"
        print(
            f"first avatar at {1000 * ROUND_TRIP_S:.0f} ms round trip, {visits} visits, median ms:"
        )
        for name, address in addresses.items():
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(visits):
                context = browser.new_context(viewport={"width": 1000, "height": 700})
                context.add_init_script(FIRST_AVATAR)
                for kind in (0, 1):
                    to_server.reset()
                    to_site.reset()
                    page = context.new_page()
                    page.goto(address)
                    page.wait_for_function("() => window.firstAvatarAt")
                    times[kind].append(page.evaluate("firstAvatarAt"))
                    if kind == 0:
                        page.wait_for_load_state("networkidle")
                        cold = (to_server.connections, to_server.received + to_site.received)
                    page.close()
                context.close()
            print(
                f"  {name:20} cold {statistics.median(times[0]):6.0f}"
                f"  warm {statistics.median(times[1]):6.0f}"
                f"  {cold[1] / 1000:6.1f} kB over {cold[0]} connections to the server"
            )


def wire_to_pixel(browser: Browser, server: Subject, changes: int) -> None:
    """Print how long a status takes from one page to the pixels of another."""
    url = f"http://{server.host}:{server.port}/boards/pixel"
    pages = []
    for name in ("ada", "bob"):
        page = browser.new_context(viewport={"width": 1000, "height": 700}).new_page()
        page.goto(f"{url}?user_id={name}")
        page.wait_for_function("() => window.presence?.state === 'joined'")
        pages.append(page)
    ada, bob = pages
    bob.wait_for_function("() => window.presence.users.size === 2")
    taken = []
    for number in range(changes):
        status = ("idle", "online")[number % 2]
        bob.evaluate(
            """status => {
            const avatar = document.querySelector('presence-bar').shadowRoot
                .querySelector('[data-user-id=ada]');
            window.painted = new Promise(done => new MutationObserver((_, observer) => {
                if (avatar.dataset.status !== status) return;
                observer.disconnect();
                // After the next frame was drawn: its callbacks come first, then a message.
                const channel = new MessageChannel();
                channel.port1.onmessage = () => done(performance.timeOrigin + performance.now());
                channel.port2.postMessage(0);
            }).observe(avatar, { attributes: true }));
        }""",
            status,
        )
        begun = ada.evaluate(
            """status => {
                presence.setStatus(status);
                return performance.timeOrigin + performance.now();
            }""",
            status,
        )
        taken.append(bob.evaluate("painted") - begun)
        ada.wait_for_timeout(137)  # No multiple of a frame or a tick.
    print(f"wire to pixel, {changes} times, ms: {shown(taken)}")
    for page in pages:
        page.context.close()


def cpu_of_changes(browser: Browser, server: Subject, seconds: float) -> None:
    """Print the CPU time of a change, with the list of everybody closed and open."""
    page = browser.new_context(viewport={"width": 900, "height": 700}).new_page()
    page.goto(f"http://{server.host}:{server.port}/boards/cpu?user_id=ada")
    page.evaluate("document.querySelector('presence-bar').remove()")
    page.evaluate("document.body.prepend(document.createElement('presence-bar'))")
    page.evaluate(CROWD, 100)
    gauge = Gauge(page)
    every_ms = 1000 / CHANGES_PER_S
    begin = f"window.changing = setInterval(changeSomebody, {every_ms}); 0"
    for name in ("closed", "open"):
        if name == "open":
            page.get_by_test_id("presence-overflow").click()
            page.wait_for_timeout(1000)
        idle = gauge.cpu_ms(seconds)
        busy = gauge.cpu_ms(seconds, begin)
        page.evaluate("clearInterval(changing)")
        each = (busy - idle) / (seconds * CHANGES_PER_S)
        print(
            f"CPU a change, bar of 100, list {name}: {each:.2f} ms"
            f" ({busy / seconds:.1f} ms/s beside {idle / seconds:.1f} idle)"
        )
    page.context.close()


def cursors_and_heap(browser: Browser, server: Subject, seconds: float) -> None:
    """Print the CPU time of 99 moving cursors, and whether the heap grows."""
    url = f"http://{server.host}:{server.port}"
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{url}/boards/load?user_id=ada")
    page.wait_for_function("() => window.presence?.state === 'joined'")
    gauge = Gauge(page)
    idle = gauge.cpu_ms(5)
    command = [sys.executable, "-m", "presence_server", "load", "--server", url]
    command += ["--users", "99", "--seconds", str(seconds + 30)]
    load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        page.wait_for_function("() => window.presence.users.size === 100", timeout=60_000)
        page.wait_for_timeout(5000)
        before = gauge.heap()
        busy = gauge.cpu_ms(seconds)
        after = gauge.heap()
    finally:
        load.terminate()
        load.wait()
    print(
        f"99 cursors for {seconds:.0f} s: {busy / seconds:.0f} ms/s of CPU"
        f" beside {idle / 5:.0f} with nobody"
    )
    for name, old, new in zip(("heap, MB", "nodes", "listeners"), before, after, strict=True):
        print(f"  {name}: {old:.4g} -> {new:.4g}")
    page.context.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="make bench-page", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer visits, and less time")
    words = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    settings = {"auth.allowed_origins": "*", "board.leave_grace_s": 0}
    with running_server(settings) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        try:
            first_avatars(browser, server, visits=3 if words.short else 9)
            wire_to_pixel(browser, server, changes=20 if words.short else 100)
            cpu_of_changes(browser, server, seconds=3 if words.short else 15)
            cursors_and_heap(browser, server, seconds=15 if words.short else 180)
        finally:
            browser.close()
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
