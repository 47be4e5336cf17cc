"""Pages, static files, health and what every answer carries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presence_server.web import static_files
from presence_server.web.app import create_app
from presence_server.web.ports import Readiness
from tests.web.fakes import FakePorts


class TestPages:
    @pytest.mark.parametrize("path", ["/", "/boards/demo"])
    async def test_are_the_board(self, path: str) -> None:
        response = await create_app(FakePorts()).test_client().get(path)
        assert response.status_code == 200
        assert response.content_type == "text/html; charset=utf-8"
        assert b"<presence-bar" in await response.get_data()

    async def test_name_their_files_relative_to_themselves(self) -> None:
        client = create_app(FakePorts()).test_client()
        for path, folder in (("/", "static/"), ("/boards/demo", "../static/")):
            html = await (await client.get(path)).get_data(as_text=True)
            addresses = re.findall(r'(?:src|href)="([^"#]+)"', html)
            assert len(addresses) >= 5
            for address in addresses:
                assert address.startswith(folder)
                found = await client.get(f"/static/{address.removeprefix(folder)}")
                assert found.status_code == 200

    @pytest.mark.parametrize("board", ["a%20b", "a/b", "x" * 129, "demo/"])
    async def test_refuse_what_is_no_board(self, board: str) -> None:
        response = await create_app(FakePorts()).test_client().get(f"/boards/{board}")
        assert response.status_code == 400

    async def test_hold_no_script_or_style_that_their_policy_forbids(self) -> None:
        html = static_files.packaged()["board.html"].body
        assert b"<style" not in html
        assert b" style=" not in html
        assert b" onclick=" not in html
        assert b"<script>" not in html


class TestStaticFiles:
    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("board.js", "text/javascript; charset=utf-8"),
            ("board.css", "text/css; charset=utf-8"),
            ("favicon.svg", "image/svg+xml"),
        ],
    )
    async def test_have_their_type_and_may_be_used_by_other_sites(
        self, name: str, content_type: str
    ) -> None:
        response = await create_app(FakePorts()).test_client().get(f"/static/{name}")
        assert response.status_code == 200
        assert response.content_type == content_type
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["X-Content-Type-Options"] == "nosniff"

    async def test_are_not_sent_twice(self) -> None:
        client = create_app(FakePorts()).test_client()
        first = await client.get("/static/board.js")
        etag = first.headers["ETag"]
        again = await client.get("/static/board.js", headers={"If-None-Match": etag})
        assert again.status_code == 304
        assert await again.get_data() == b""
        other = await client.get("/static/board.js", headers={"If-None-Match": '"x"'})
        assert other.status_code == 200

    @pytest.mark.parametrize(
        "name", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "%00", "none.js"]
    )
    async def test_outside_the_folder_are_not_there(self, name: str) -> None:
        response = await create_app(FakePorts()).test_client().get(f"/static/{name}")
        assert response.status_code == 404

    def test_are_found_in_folders_and_only_of_known_types(self, tmp_path: Path) -> None:
        (tmp_path / "inner").mkdir()
        (tmp_path / "inner" / "a.js").write_text("1")
        (tmp_path / "notes.bak").write_text("2")
        assert list(static_files.load(tmp_path)) == ["inner/a.js"]


class TestHealth:
    async def test_is_fine_while_the_process_runs(self) -> None:
        ports = FakePorts(readiness=Readiness("draining", "down", "down"))
        response = await create_app(ports).test_client().get("/healthz")
        assert response.status_code == 200

    @pytest.mark.parametrize(
        ("readiness", "status"),
        [
            (Readiness("ready", "ok", "ok"), 200),
            (Readiness("degraded", "down", "ok"), 200),
            (Readiness("starting", "down", "down"), 503),
            (Readiness("draining", "ok", "ok"), 503),
        ],
    )
    async def test_readiness_says_what_there_is_and_nothing_else(
        self, readiness: Readiness, status: int
    ) -> None:
        response = await create_app(FakePorts(readiness=readiness)).test_client().get("/readyz")
        assert response.status_code == status
        assert await response.get_json() == {
            "status": readiness.status,
            "database": readiness.database,
            "cache": readiness.cache,
        }

    async def test_metrics_are_prometheus_text(self) -> None:
        response = await create_app(FakePorts()).test_client().get("/metrics")
        assert response.content_type.startswith("text/plain; version=0.0.4")
        assert await response.get_data() == b"presence_users 3\n"


ADMIN = {"Authorization": "Bearer admin"}
SITE = "https://a.example"
SELF = "'self'"
POLICY = {
    "default-src": [SELF],
    "img-src": [SELF, "https:", "http:", "data:"],
    "connect-src": [SELF, "ws:", "wss:"],
    "style-src": [SELF],
    "script-src": [SELF],
    "object-src": ["'none'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": [SELF],
}


def directives(policy: str) -> dict[str, list[str]]:
    """Sources by directive; of one that comes twice a browser takes the first."""
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *sources = part.split()
        assert name not in found, name
        found[name] = sources
    return found


class TestEveryAnswer:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/", 200),
            ("GET", "/boards/demo", 200),
            ("GET", "/static/board.js", 200),
            ("GET", "/favicon.ico", 200),
            ("GET", "/healthz", 200),
            ("GET", "/readyz", 503),
            ("GET", "/metrics", 200),
            ("GET", "/openapi.json", 200),
            ("GET", "/api/boards/demo/presence", 500),
            ("GET", "/api/boards/demo/history", 503),
            ("GET", "/api/boards", 200),
            ("OPTIONS", "/", 200),
            ("GET", "/boards/a%20b", 400),
            ("GET", "/nothing", 404),
            ("DELETE", "/api/boards/demo/users/nobody", 404),
            ("POST", "/", 405),
        ],
    )
    async def test_carries_the_whole_policy_and_nothing_beside_it(
        self, method: str, path: str, status: int
    ) -> None:
        ports = FakePorts(
            admin_token="admin",
            store_is_up=False,
            readiness=Readiness("draining", "ok", "ok"),
            fault=RuntimeError("a bug"),
        )
        client = create_app(ports).test_client()
        response = await client.open(path, method=method, json=None, headers=ADMIN)
        assert response.status_code == status
        (policy,) = response.headers.getlist("Content-Security-Policy")
        assert directives(policy) == POLICY
        assert response.headers.getlist("Referrer-Policy") == ["no-referrer"]
        assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]

    async def test_carries_it_though_the_browser_has_the_page_already(self) -> None:
        client = create_app(FakePorts()).test_client()
        etag = (await client.get("/")).headers["ETag"]
        response = await client.get("/", headers={"If-None-Match": etag})
        assert response.status_code == 304
        assert directives(response.headers["Content-Security-Policy"]) == POLICY

    async def test_has_the_same_headers_when_a_route_has_a_bug(self) -> None:
        ports = FakePorts(allowed_origins=frozenset({SITE}))
        client = create_app(ports).test_client()
        seen = []
        for fault, status in ((None, 200), (RuntimeError("a bug"), 500)):
            ports.fault = fault
            response = await client.get("/api/boards/demo/presence", headers={"Origin": SITE})
            assert response.status_code == status
            del response.headers["Content-Length"]
            seen.append(sorted((name.lower(), value) for name, value in response.headers))
        assert seen[0] == seen[1]
        assert [name for name, _ in seen[1]] == [
            "access-control-allow-origin",
            "cache-control",
            "content-security-policy",
            "content-type",
            "referrer-policy",
            "vary",
            "x-content-type-options",
        ]
