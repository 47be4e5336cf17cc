"""Sessions without end, of one user or of one address: bounded, and felt by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from tests.hostile.kit import ATTACKER, metric, undisturbed
from tests.server.kit import PATIENCE_S, running_server
from tests.transport.frames import close
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

TABS = 500
MAY_HAVE = 20
BOARDS = 200
MAY_LEAVE = 50


async def call(address: ListeningAddress, board_id: str, session_id: str = "") -> RawClient:
    """Mallory, from the attacker's address."""
    sock = trio.socket.socket()
    await sock.bind((ATTACKER, 0))
    await sock.connect((address.host, address.port))
    client = RawClient(trio.SocketStream(sock))
    target = f"/ws/boards/{board_id}?user_id=mallory&session_id={session_id}"
    await client.upgrade(target)
    return client


async def first_word(client: RawClient) -> str:
    told = await client.next()
    return str(told.get("code") or told["type"])


async def test_one_user_has_so_many_tabs_and_no_more_and_the_others_hear_nothing(
    tmp_path: Path,
) -> None:
    async with (
        running_server(tmp_path, limits__sessions_per_user=MAY_HAVE) as address,
        undisturbed(address, count=10),
    ):
        held = [await call(address, "demo") for _ in range(MAY_HAVE - 1)]
        with trio.fail_after(PATIENCE_S):
            assert {await first_word(tab) for tab in held} == {"board:joined"}
            for _ in range(TABS):
                refused = await call(address, "demo")
                assert await first_word(refused) == "RATE_LIMITED"
                assert await refused.end() == 4429
                await refused.stream.aclose()
            # Those that drop make way, so many of them as there are: none is kept beyond.
            await held.pop().stream.aclose()
            joined = 0
            for _ in range(TABS):
                tab = await call(address, "demo")
                joined += await first_word(tab) == "board:joined"
                await tab.stream.aclose()
        assert joined > 0
        for tab in held:
            await tab.stream.aclose()


async def test_an_address_that_leaves_boards_behind_comes_back_to_them_and_begins_no_more(
    tmp_path: Path,
) -> None:
    async with (
        running_server(tmp_path, limits__connections_per_ip=MAY_LEAVE) as address,
        undisturbed(address, count=10, mallory=False),
    ):
        words, sessions = [], {}
        with trio.fail_after(PATIENCE_S):
            for number in range(BOARDS):
                client = await call(address, f"board-{number}")
                told = await client.next()
                words.append(str(told.get("code") or told["type"]))
                if words[-1] == "board:joined":
                    sessions[f"board-{number}"] = str(told["session_id"])
                await client.stream.aclose()
            assert words.count("RATE_LIMITED") >= BOARDS - 2 * MAY_LEAVE
            assert words[:MAY_LEAVE] == ["board:joined"] * MAY_LEAVE
            assert await metric(address, "presence_boards") <= 2 * MAY_LEAVE
            for board_id, session_id in sessions.items():
                back = await call(address, board_id, session_id)
                told = await back.next()
                assert told["resumed"] is True
                await back.send(close(1000))
                await back.end()
                await back.stream.aclose()
            newcomer = await call(address, "board-new")
            assert await first_word(newcomer) == "board:joined"
            await newcomer.stream.aclose()
