"""What a program passes in by mistake is refused at the call, and takes nothing else with it."""

from __future__ import annotations

import math

import anyio
import msgspec
import pytest

from presence_server.client import connect
from presence_server.protocol.model import Cursor
from tests.client.fake_server import HOST, joined, updates, welcoming
from tests.client.loops import Stage, on_both_loops

CIRCLE: dict[str, object] = {}
CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    "fields",
    [
        {"cursor": (math.nan, 0)},
        {"cursor": (0, math.inf)},
        {"cursor": ("1", 2)},
        {"cursor": (1, None)},
        {"status": "busy"},
        {"status": 7},
        {"metadata": {"text": "\ud83d"}},
        {"metadata": {"\ude00": 1}},
        {"metadata": {"text": "a\0b"}},
        {"metadata": {"draft": "x" * 2048}},
        {"metadata": {"draft": "ü" * 1024}},
        {"metadata": CIRCLE},
        {"metadata": [1]},
        {"metadata": "pen"},
        {"metadata": {"what": object()}},
    ],
    ids=lambda fields: str(fields)[:40],
)
@on_both_loops
async def test_a_bad_value_is_refused_at_the_call_and_nothing_of_it_is_kept(
    stage: Stage, fields: dict[str, object]
) -> None:
    server = stage.server(welcoming(joined()))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        with pytest.raises((ValueError, TypeError)):
            await client.update(**fields)  # type: ignore[arg-type]
        await client.update(cursor=(1, 2))
        await anyio.sleep(1)
    (update,) = updates(server.peers[0])
    assert update.payload.cursor == Cursor(1, 2)
    assert (update.payload.status, update.payload.metadata) == (msgspec.UNSET, msgspec.UNSET)


@pytest.mark.parametrize("board_id", ["", "a/b", "ä", "x" * 129])
async def test_a_board_id_that_the_server_would_refuse_is_refused(board_id: str) -> None:
    with pytest.raises(ValueError, match="board id"):
        async with connect(HOST, board_id):
            pass


@pytest.mark.parametrize("token", ["a b", "a\r\nX: y", "ä"])
async def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        async with connect(HOST, "b1", token=token):
            pass
