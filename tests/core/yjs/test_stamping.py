"""The user in an awareness state is the one that the server knows."""

from __future__ import annotations

import json

import pytest
from msgspec import UNSET

from presence_server.core.yjs.stamping import MAX_STATE_BYTES, stamp, state_of
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.protocol.model import Cursor
from presence_server.protocol.nesting import MAX_NESTING
from presence_server.protocol.profile import clean_profile

ADA = clean_profile("ada", display_name="Ada", color="#0e7490")
IDENTITY = {"id": "ada", "name": "Ada", "color": "#0e7490", "avatar": None}


def stamped(state: object) -> object:
    return json.loads(stamp(json.dumps(state).encode(), ADA).json)


def test_the_identity_is_the_servers_and_other_fields_stay() -> None:
    state = {"user": {"name": "Eve", "id": "eve", "colorLight": "#fff"}, "selection": [1, {"a": 2}]}
    assert stamped(state) == {
        "user": {
            "name": "Ada",
            "id": "ada",
            "colorLight": "#fff",
            "color": "#0e7490",
            "avatar": None,
        },
        "selection": [1, {"a": 2}],
    }


@pytest.mark.parametrize("user", ["Eve", None, 7, ["Eve"]])
def test_a_user_of_another_form_is_replaced(user: object) -> None:
    assert stamped({"user": user}) == {"user": IDENTITY}


def test_a_state_without_a_user_gets_one() -> None:
    assert stamped({}) == {"user": IDENTITY}


def test_a_name_and_a_color_at_the_top_are_replaced_where_there_are_any() -> None:
    assert stamped({"name": "Eve", "color": "red", "focusing": True}) == {
        "name": "Ada",
        "color": "#0e7490",
        "focusing": True,
        "user": IDENTITY,
    }


def test_of_a_field_that_comes_twice_none_is_left_as_it_came() -> None:
    raw = b'{"user":{"name":"Eve"},"user":{"name":"Mallory","name":"Eve"}}'
    assert json.loads(stamp(raw, ADA).json) == {"user": IDENTITY}


@pytest.mark.parametrize(
    ("cursor", "position"),
    [
        ('{"x": 1, "y": 2.5}', Cursor(1.0, 2.5)),
        ("null", None),
        ('{"x": 1}', UNSET),
        ('{"x": "1", "y": 2}', UNSET),
        ('{"anchor": {}, "head": {}}', UNSET),
        ("[1, 2]", UNSET),
    ],
)
def test_a_cursor_in_the_units_of_the_board_is_found(cursor: str, position: object) -> None:
    assert stamp(f'{{"cursor": {cursor}}}'.encode(), ADA).cursor == position


def test_a_state_without_a_cursor_has_none() -> None:
    assert stamp(b"{}", ADA).cursor is None


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a": "' + b"x" * MAX_STATE_BYTES + b'"}',
        b'{"a": ' + b"[" * MAX_NESTING + b"]" * MAX_NESTING + b"}",
        b'{"a": ' + b"[" * 4000 + b"]" * 4000 + b"}",
    ],
)
def test_what_is_no_state(state: bytes) -> None:
    with pytest.raises(DamagedBytes, match="awareness state"):
        stamp(state, ADA)


def test_the_state_of_a_user_without_yjs() -> None:
    assert json.loads(state_of(ADA, None)) == {"user": IDENTITY}
    assert json.loads(state_of(ADA, Cursor(1.0, 2.0)))["cursor"] == {"x": 1.0, "y": 2.0}
