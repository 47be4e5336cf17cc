"""Frames that the server writes: the header that RFC 6455 section 5.2 asks for."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from presence_server.protocol.frames import text_frame


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_a_text_frame_is_the_one_that_the_library_would_write(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
