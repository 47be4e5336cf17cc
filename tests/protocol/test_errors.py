"""The table of close codes, section 5 of the protocol."""

from __future__ import annotations

import pytest

from presence_server.protocol.errors import (
    RECONNECT,
    BadMessage,
    CloseCode,
    ErrorCode,
    PresenceError,
    Reconnect,
)

TABLE = {
    1000: Reconnect.NO,
    1001: Reconnect.RESUME,
    1002: Reconnect.NO,
    1007: Reconnect.NO,
    1009: Reconnect.RESUME,
    1011: Reconnect.RESUME,
    1012: Reconnect.RESUME,
    1013: Reconnect.NEW_SESSION,
    4400: Reconnect.NO,
    4401: Reconnect.NO,
    4403: Reconnect.NO,
    4408: Reconnect.NEW_SESSION,
    4409: Reconnect.NO,
    4410: Reconnect.NO,
    4429: Reconnect.RESUME,
    4508: Reconnect.RESUME,
}


@pytest.mark.parametrize("code", TABLE)
def test_each_close_code_says_whether_to_come_back(code: int) -> None:
    assert RECONNECT[code] is TABLE[code]


def test_the_table_has_every_code_and_no_other() -> None:
    assert set(RECONNECT) == set(TABLE) == {int(code) for code in CloseCode}


def test_the_error_codes_are_those_of_the_wire() -> None:
    assert {str(code) for code in ErrorCode} == {
        "BOARD_FULL",
        "INVALID_JSON",
        "INVALID_MESSAGE",
        "UNKNOWN_EVENT",
        "NOT_JOINED",
        "MESSAGE_TOO_BIG",
        "RATE_LIMITED",
        "UNAUTHORIZED",
        "FORBIDDEN",
        "INTERNAL",
    }


def test_a_bad_message_carries_what_the_client_is_told() -> None:
    error = BadMessage(ErrorCode.INVALID_JSON, "the message is not JSON")
    assert isinstance(error, PresenceError)
    assert (error.code, error.message) == (ErrorCode.INVALID_JSON, str(error))
