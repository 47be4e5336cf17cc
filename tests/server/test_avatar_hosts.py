"""``profile.avatar_hosts`` in a whole server: by every way in which an avatar comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presence_server.server import ListeningAddress
from tests.keys import SECRET, token
from tests.server.kit import Client, running_server, visiting
from tests.server.raw import ask, plain

GOOD, BAD = "https://cdn.good.example/a.png", "https://bad.example/a.png"
HOSTS: dict[str, Any] = {"profile__avatar_hosts": ["*.good.example"]}


async def avatar_of(client: Client, kind: str) -> object:
    """The avatar of the user in the next event of a kind."""
    payload = await client.next_of(kind)
    user = payload["self" if kind == "board:joined" else "user"]
    assert isinstance(user, dict)
    return user["avatar_url"]


async def policy(address: ListeningAddress, path: str) -> str:
    answer = await ask(address, plain(f"GET {path} HTTP/1.1"))
    return answer.headers["content-security-policy"]


@pytest.mark.parametrize(("url", "shown"), [(GOOD, GOOD), (BAD, None)])
async def test_a_client_names_an_avatar(tmp_path: Path, url: str, shown: str | None) -> None:
    async with running_server(tmp_path, **HOSTS) as address, visiting(address) as visitors:
        eve = await visitors.open(user_id="eve")
        await eve.next_of("board:joined")
        ada = await visitors.open(user_id="ada", avatar_url=url)
        assert await avatar_of(ada, "board:joined") == shown
        assert await avatar_of(eve, "user:joined") == shown
        await ada.send("profile:update", avatar_url=f"{url}?2", display_name="Ada L")
        assert await avatar_of(eve, "user:updated") == (f"{url}?2" if shown else None)


@pytest.mark.parametrize(("url", "shown"), [(GOOD, GOOD), (BAD, None)])
async def test_a_token_names_an_avatar(tmp_path: Path, url: str, shown: str | None) -> None:
    settings: dict[str, Any] = {"auth__mode": "jwt", "auth__jwt_secret": SECRET, **HOSTS}
    async with running_server(tmp_path, **settings) as address, visiting(address) as visitors:
        eve = await visitors.open(token=token("eve"))
        await eve.next_of("board:joined")
        ada = await visitors.open(token=token("ada", picture=url))
        assert await avatar_of(ada, "board:joined") == shown
        assert await avatar_of(eve, "user:joined") == shown
        await ada.send("auth:refresh", token=token("ada", picture=f"{url}?2", name="Ada L"))
        assert await avatar_of(eve, "user:updated") == (f"{url}?2" if shown else None)


async def test_pages_load_images_of_these_hosts_only(tmp_path: Path) -> None:
    async with running_server(tmp_path, **HOSTS) as address:
        for path in ("/", "/static/board.js", "/healthz"):
            assert (
                "img-src 'self' https://*.good.example:* http://*.good.example:* data:;"
                in await policy(address, path)
            )
