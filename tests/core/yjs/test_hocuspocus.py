"""The messages of Hocuspocus."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs import hocuspocus
from presence_server.core.yjs.hocuspocus import (
    MAX_ADDRESS_BYTES,
    FirstMessage,
    HocuspocusKind,
    address_of,
    read_first,
    read_kind,
    read_token,
)
from presence_server.core.yjs.varint import DamagedBytes, write_text

BOARD = write_text("board-1")


def auth(token: str, address: bytes = BOARD, version: str = "4.8.0") -> bytes:
    return address + b"\x02\x00" + write_text(token) + write_text(version)


class TestFirstMessage:
    def test_it_names_the_document_and_has_the_token(self) -> None:
        assert read_first(auth("secret")) == FirstMessage(BOARD, "board-1", "secret")

    def test_an_empty_token_is_none(self) -> None:
        assert read_first(auth("")).token is None

    def test_a_version_may_be_missing(self) -> None:
        assert read_first(BOARD + b"\x02\x00" + write_text("secret")).token == "secret"

    def test_a_client_without_a_token_begins_with_a_sync_step_1(self) -> None:
        assert read_first(BOARD + b"\x00\x00\x01\x00") == FirstMessage(BOARD, "board-1", None)

    def test_what_follows_a_nul_is_the_session_and_not_the_document(self) -> None:
        address = write_text("board-1\0k3j2")
        assert read_first(auth("secret", address)) == FirstMessage(address, "board-1", "secret")

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "too early"),
            (b"\x09", "larger than what is left"),
            (BOARD, "too early"),
            (BOARD + b"\x06", "unknown type"),
            (BOARD + b"\x02", "too early"),
            (BOARD + b"\x02\x01\x00", "nothing but tokens"),
            (BOARD + b"\x02\x00\x05ab", "larger than what is left"),
            (b"\x02\xff\xff\x00", "not UTF-8"),
            (write_text("x" * MAX_ADDRESS_BYTES) + b"\x00", "too long"),
        ],
    )
    def test_anything_else_is_damaged(self, data: bytes, reason: str) -> None:
        with pytest.raises(DamagedBytes, match=reason):
            read_first(data)

    @given(st.binary(max_size=40))
    def test_any_bytes_are_a_first_message_or_damaged(self, data: bytes) -> None:
        with contextlib.suppress(DamagedBytes):
            read_first(data)


class TestMessages:
    @pytest.mark.parametrize(
        ("message", "kind"),
        [
            (b"\x00\x00\x01\x00", HocuspocusKind.SYNC),
            (b"\x01\x01\x00", HocuspocusKind.AWARENESS),
            (b"\x03", HocuspocusKind.QUERY),
            (b"\x05\x02hi", HocuspocusKind.STATELESS),
            (b"\x07", HocuspocusKind.CLOSE),
        ],
    )
    def test_the_message_follows_the_address(self, message: bytes, kind: HocuspocusKind) -> None:
        assert read_kind(BOARD + message, BOARD) == (kind, message)

    def test_a_sync_reply_is_a_sync_message(self) -> None:
        found = read_kind(BOARD + b"\x04\x00\x01\x00", BOARD)
        assert found == (HocuspocusKind.SYNC, b"\x00\x00\x01\x00")

    @pytest.mark.parametrize("message", [b"", b"\x06", b"\x0b"])
    def test_other_types_are_damaged(self, message: bytes) -> None:
        with pytest.raises(DamagedBytes, match="unknown type"):
            read_kind(BOARD + message, BOARD)

    def test_a_token_is_read_from_a_later_message(self) -> None:
        assert read_token(auth("newer")[len(BOARD) + 1 :]) == "newer"
        with pytest.raises(DamagedBytes, match="too early"):
            read_token(b"")

    @pytest.mark.parametrize(
        ("data", "address"),
        [
            (BOARD + b"\x07", BOARD),
            (b"\x00\x07", b"\x00"),
            (BOARD, None),
            (b"", None),
            (b"\x09", None),
            (b"\xff" * 9, None),
            (write_text("x" * MAX_ADDRESS_BYTES) + b"\x07", None),
        ],
    )
    def test_a_message_for_another_document_has_another_address(
        self, data: bytes, address: bytes | None
    ) -> None:
        assert address_of(data) == address


def test_the_answers_have_the_form_that_the_stock_provider_reads() -> None:
    assert hocuspocus.authenticated(may_edit=True) == b"\x02\x02\x0aread-write"
    assert hocuspocus.authenticated(may_edit=False) == b"\x02\x02\x08readonly"
    assert hocuspocus.permission_denied("no") == b"\x02\x01\x02no"
    assert hocuspocus.status(is_taken=True) == b"\x08\x01"
    assert hocuspocus.status(is_taken=False) == b"\x08\x00"
