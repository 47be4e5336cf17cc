"""Facts that the JavaScript and the Python client repeat, checked against the protocol."""

from __future__ import annotations

import re
from pathlib import Path

from presence_server.client import Profile
from presence_server.protocol.errors import RECONNECT, Reconnect
from presence_server.protocol.metadata import MAX_METADATA_BYTES, MAX_METADATA_DEPTH
from presence_server.protocol.palette import PALETTE
from presence_server.protocol.profile import UserProfile

STATIC = Path(__file__).parents[2] / "presence_server/web/static"
RULE_NAMES = {
    "RESUME": Reconnect.RESUME,
    "START_OVER": Reconnect.NEW_SESSION,
    "OVER": Reconnect.NO,
    "STAY_AWAY": Reconnect.NO,
}


def script(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def test_the_javascript_client_follows_the_table_of_close_codes() -> None:
    said = {
        int(code): RULE_NAMES[rule]
        for code, rule in re.findall(
            r"^  \[(\d{4}), ([A-Z_]+)\],$", script("presence-close.js"), re.M
        )
    }
    assert said == RECONNECT


def test_the_demo_offers_the_palette_of_the_server() -> None:
    (listed,) = re.findall(r"const PALETTE = \[(.*?)\];", script("board.js"), re.S)
    assert tuple(re.findall(r"'(#[0-9a-f]{6})'", listed)) == PALETTE


def test_both_clients_know_every_field_of_a_profile() -> None:
    (listed,) = re.findall(r"PROFILE_FIELDS = .*?\(\[(.*?)\]\)", script("presence-address.js"))
    assert tuple(re.findall(r"'(\w+)'", listed)) == UserProfile.__struct_fields__
    assert set(Profile.__annotations__) == set(UserProfile.__struct_fields__)


def test_the_javascript_client_knows_how_long_and_how_deep_metadata_may_be() -> None:
    said = dict(re.findall(r"(MAX_METADATA_\w+) = (\d+);", script("presence-values.js")))
    assert said == {
        "MAX_METADATA_BYTES": str(MAX_METADATA_BYTES),
        "MAX_METADATA_DEPTH": str(MAX_METADATA_DEPTH),
    }
