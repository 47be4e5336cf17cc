"""A bug in one room: its members come back to a fresh room and find their sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from presence_server.core import leaving
from presence_server.transport.sessions.session_link import SessionLink
from tests.server.kit import running_server, visiting

pytestmark = pytest.mark.e2e


async def test_a_crashed_room_is_recovered_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        ada, bob = await visitors.open(user_id="ada"), await visitors.open(user_id="bob")
        session_id = str((await ada.next())["session_id"])
        await bob.next_of("board:joined")
        bystander = await visitors.join("cy", board_id="other")
        with monkeypatch.context() as patched:

            def broken(*args: object) -> None:
                raise RuntimeError("a bug in the core")

            patched.setattr(leaving, "part", broken)
            await bob.send("board:leave")
            assert (await ada.close_code())[0] == 1011
        # The store is asked at once; a client's backoff gives it the time it needs.
        for _ in range(100):
            back = await visitors.open(user_id="ada", session_id=session_id)
            snapshot = await back.next_of("board:joined")
            if snapshot["resumed"]:
                break
            await back.send("board:leave")
            await back.close_code()
        assert snapshot["session_id"] == session_id
        assert await bystander.silence() == []


async def test_a_bug_in_one_session_closes_that_connection_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        ada, bob = await visitors.open(user_id="ada"), await visitors.open(user_id="bob")
        session_id = str((await ada.next())["session_id"])
        await bob.next_of("board:joined")
        with monkeypatch.context() as patched:

            def broken(*args: object) -> None:
                raise RuntimeError("a bug in the session")

            patched.setattr(SessionLink, "on_text", broken)
            await ada.socket.send_message("anything")
            assert (await ada.close_code())[0] == 1011
        assert await bob.silence() == []
        back = await visitors.open(user_id="ada", session_id=session_id)
        assert (await back.next())["resumed"] is True
