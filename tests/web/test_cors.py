"""Pages of other sites read the API only if they may connect."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from presence_server.web.app import create_app
from tests.web.fakes import FakePorts

PATH = "/api/boards/demo/presence"
GOOD = "https://good.example"


async def headers_of(
    *allowed: str, path: str = PATH, method: str = "GET", **headers: str
) -> Headers:
    client = create_app(FakePorts(allowed_origins=frozenset(allowed))).test_client()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    ask = client.options if method == "OPTIONS" else client.get
    response = await ask(path, headers=sent)
    return response.headers


async def test_an_allowed_origin_may_read_and_caches_keep_the_answers_apart() -> None:
    headers = await headers_of(GOOD, Origin=GOOD)
    assert headers["Access-Control-Allow-Origin"] == GOOD
    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in headers


async def test_with_a_star_every_origin_may() -> None:
    headers = await headers_of("*", Origin="https://any.example")
    assert headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{GOOD}.evil.example", "null", "http://good.example"]
)
async def test_no_other_may(origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in await headers_of(GOOD, Origin=origin)
    assert "Access-Control-Allow-Origin" not in await headers_of(Origin=origin)


async def test_a_preflight_allows_the_token() -> None:
    headers = await headers_of(
        GOOD, method="OPTIONS", Origin=GOOD, Access_Control_Request_Method="GET"
    )
    assert headers["Access-Control-Allow-Origin"] == GOOD
    assert headers["Access-Control-Allow-Headers"] == "Authorization"
    assert headers["Access-Control-Allow-Methods"] == "GET, DELETE"


async def test_pages_and_health_are_for_this_site() -> None:
    for path in ("/", "/readyz", "/metrics"):
        assert "Access-Control-Allow-Origin" not in await headers_of(GOOD, path=path, Origin=GOOD)
