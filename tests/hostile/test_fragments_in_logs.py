"""What the WebSocket library reads for us, it must not tell: it can log every frame.

Whole messages are read by ``transport/wire/framing.py``; those in fragments, and those that come
in more than one helping, go through the library, and so does a close frame.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import trio
from websockets.frames import Opcode

from tests.hostile.logs import everything_logged
from tests.keys import SECRET, token
from tests.server.kit import PATIENCE_S, running_server
from tests.server.raw import talk
from tests.transport.frames import close, frame, text, upgrade_request

pytestmark = pytest.mark.e2e

TELLTALE = 12
"""So many characters of a message in a row are in no log by chance."""


def in_fragments(message: str, *cuts: int) -> bytes:
    """A message cut at these places, with a ping in between."""
    first, *middle, last = (
        message[start:end].encode()
        for start, end in zip((0, *cuts), (*cuts, len(message)), strict=True)
    )
    ping = frame(Opcode.PING, message[-40:].encode())
    following = b"".join(frame(Opcode.CONT, part, fin=False) for part in middle)
    return text(first, fin=False) + ping + following + frame(Opcode.CONT, last)


def noise(size: int) -> str:
    """Characters that are nowhere else."""
    return Random(size).randbytes(size // 2).hex()


def refresh(shown: str, padding: int = 0) -> str:
    """The message; the server passes over the field it does not know."""
    payload = {"unknown": noise(40 + padding), "token": shown}
    return json.dumps({"type": "auth:refresh", "payload": payload})


async def test_a_refresh_in_fragments_or_in_helpings_is_in_no_log(tmp_path: Path) -> None:
    good, foreign = token("ada", name="Ada", exp=4_000_000_000), token("eve", name="Eve")
    good_one, bad_one = refresh(good), refresh(foreign)
    middle = good_one.index(good) + len(good) // 2
    # More than the server reads of a socket at a time.
    long_one = refresh(good, padding=40_000)
    goodbye = f"goodbye {noise(60)}"
    conversation = [
        (good_one, in_fragments(good_one, middle), "auth:refreshed"),
        (good_one, in_fragments(good_one, 1, 30, middle, len(good_one) - 1), "auth:refreshed"),
        (bad_one, in_fragments(bad_one, len(bad_one) // 2), "error"),
        (long_one, text(long_one), "auth:refreshed"),
    ]
    with everything_logged() as log:
        async with running_server(tmp_path, auth__mode="jwt", auth__jwt_secret=SECRET) as address:
            with trio.fail_after(PATIENCE_S):
                ada = await talk(address)
                async with ada.stream:
                    await ada.send(
                        upgrade_request("/ws/boards/demo", Authorization=f"Bearer {good}")
                    )
                    await ada.read_until(b"\r\n\r\n")
                    await ada.next_of("board:joined")
                    for _, data, answer in conversation:
                        await ada.send(data)
                        while (seen := await ada.frame()) is not None:
                            if seen.opcode is Opcode.TEXT:
                                break
                        assert seen is not None
                        assert seen.event["type"] == answer
                    await ada.send(close(1000, goodbye))
                    assert await ada.end() == 1000
    told = "\n".join(line for _, line in log)
    assert "session connected" in told, "the server's own log is on"
    assert "aiosqlite" in {name for name, _ in log}, "those of libraries are on"
    for message in (goodbye, *(message for message, _, _ in conversation)):
        parts = (message[at : at + TELLTALE] for at in range(len(message) - TELLTALE + 1))
        assert [part for part in parts if part in told] == []
