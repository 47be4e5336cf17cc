"""The board of a request, found without reading the rest of its head."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.gate.board_path import board_of
from presence_server.transport.gate.upgrade import read_handshake
from presence_server.transport.http.head import parse_head
from presence_server.transport.http.refusal import Refusal

CHARACTERS = st.sampled_from("Az09_-.:~")


def request(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode("latin-1")


@pytest.mark.parametrize(
    ("target", "board"),
    [
        ("/ws/boards/demo", "demo"),
        ("/ws/boards/demo?user_id=a/b", "demo"),
        ("/ws/boards/demo#here", "demo"),
        ("/ws/boards/%64em%6F?x", "demo"),
        ("http://example.org/ws/boards/demo?x", "demo"),
        ("HTTPS://example.org:8443/ws/boards/demo", "demo"),
        ("/yjs/demo", "demo"),
        ("/api/boards/demo/presence", "demo"),
        ("/api/boards/demo/users/ada", "demo"),
        ("/api/boards/demo%2Fpresence", "demo"),
        ("/%61pi/boards/d%65mo/history?limit=1", "demo"),
        ("/api/boards", None),
        ("/api/boards/", None),
        ("/api/boards/a%20b/presence", None),
        ("/ws/boards/", None),
        ("/ws/boards/a/b", None),
        ("/ws/boards/" + "x" * 129, None),
        ("/%77s/boards/demo", None),
        ("/boards/demo", None),
        ("/", None),
        ("*", None),
        ("ftp://example.org/ws/boards/demo", None),
    ],
)
def test_the_board_of_a_target(target: str, board: str | None) -> None:
    assert board_of(request(target)) == board


@pytest.mark.parametrize(
    "head", [b"", b"\r\n\r\n", b"GET /ws/boards/demo\r\n\r\n", b"GET  HTTP/1.1"]
)
def test_what_is_no_request_names_no_board(head: bytes) -> None:
    assert board_of(head) is None


@given(st.text(CHARACTERS, min_size=1, max_size=128), st.data())
def test_a_board_in_percent_escapes_is_the_same_board(board: str, data: st.DataObject) -> None:
    escaped = "".join(
        f"%{ord(character):02x}" if data.draw(st.booleans()) else character for character in board
    )
    assert board_of(request(f"/ws/boards/{escaped}")) == board
    assert board_of(request(f"/api/boards/{escaped}/presence", "DELETE")) == board


@given(st.binary(max_size=300))
def test_any_bytes_have_a_board_or_none(head: bytes) -> None:
    board_of(head)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
def test_a_handshake_that_is_accepted_is_for_the_board_that_was_found(rest: str) -> None:
    head = request(f"/ws/boards/{rest}")
    try:
        handshake = read_handshake(parse_head(head), frozenset())
    except Refusal:
        return
    assert board_of(head) == handshake.board_id
