"""The Python client and a real server: what is set last arrives, however fast it was set."""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from presence_server.client import PresenceClient, connect
from presence_server.protocol.model import Cursor
from tests.server.kit import PATIENCE_S, running_server

LAST = 101


async def test_the_last_of_many_updates_reaches_the_others(tmp_path: Path) -> None:
    async with running_server(tmp_path, limits__messages_per_s=10, limits__burst=10) as address:
        with trio.fail_after(PATIENCE_S):
            async with (
                connect(address.url, "demo", user_id="eve") as eve,
                connect(address.url, "demo", user_id="ada") as ada,
            ):
                for n in range(1, LAST + 1):
                    await ada.update(metadata={"n": n}, cursor=(n, n))
                await ada.update(status="away")
                async for _ in eve:
                    if shows_the_last(eve):
                        break
                assert ada.state == "joined"


def shows_the_last(client: PresenceClient) -> bool:
    user = client.users.get("ada")
    return (
        user is not None
        and user.cursor == Cursor(LAST, LAST)
        and user.status == "away"
        and msgspec.json.decode(user.metadata) == {"n": LAST}
    )
