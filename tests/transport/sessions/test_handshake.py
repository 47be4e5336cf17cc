"""The query of a handshake: the first value of each parameter, at a bounded price."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.profile import clean_profile, clean_user_id
from presence_server.transport.sessions import handshake
from presence_server.transport.sessions.handshake import read_query

NAMES = ["user_id", "display_name", "avatar_url", "color", "session_id", "token"]


def test_gives_the_first_value_of_each_name_that_the_server_knows() -> None:
    query = "/a?user_id=1&user_id=2&color=&token&other=3"
    assert read_query(query) == {"user_id": "1", "color": "", "token": ""}


def test_is_decoded() -> None:
    assert read_query("/?user_id=%C3%89+a%2Bb#c") == {"user_id": "É a+b"}


def test_of_too_many_fields_is_ignored() -> None:
    assert read_query("/?user_id=ada" + "&f=1" * 63) == {"user_id": "ada"}
    assert read_query("/?user_id=ada" + "&f=1" * 64) == {}


def test_may_be_absent() -> None:
    assert read_query("/a") == {}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_never_raises(text: str) -> None:
    for name in NAMES:
        read_query(f"/ws/boards/demo?{name}={text}")


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=20), max_size=5))
def test_reads_back_what_a_client_encodes(query: dict[str, str]) -> None:
    try:
        encoded = urlencode(query)
    except UnicodeEncodeError:
        return  # A lone surrogate; no client can send it.
    kept = {name: value for name, value in query.items() if name != "color" or len(value) < 3}
    assert {name: read_query(f"/?{encoded}").get(name) for name in kept} == kept


@given(st.text(alphabet="%%%aF0gz+~", max_size=30))
def test_is_decoded_as_urllib_does(raw: str) -> None:
    expected = unquote_to_bytes(raw.replace("+", " ")).decode(errors="replace")
    assert read_query(f"/?user_id={raw}") == {"user_id": expected}


def test_with_very_many_broken_escapes_stays_as_it_is() -> None:
    assert read_query("/?token=%41" + "%" * 64) == {"token": "A" + "%" * 64}
    assert read_query("/?token=%41" + "%" * 65) == {"token": "%41" + "%" * 65}


@given(st.text(alphabet="\\\\x%4u1N{}", max_size=30))
def test_has_no_escapes_with_a_backslash(raw: str) -> None:
    expected = unquote_to_bytes(raw).decode(errors="replace")
    assert read_query(f"/?user_id={raw}") == {"user_id": expected}


@pytest.mark.parametrize("character", ["a", "é", "☃", "🦉"])
def test_of_the_longest_values_is_read_whole(character: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in character.encode())
    found = read_query(f"/?user_id={escaped * 128}&display_name={escaped * 80}")
    assert found == {"user_id": character * 128, "display_name": character * 80}


def test_of_a_longer_user_id_tells_two_users_apart_by_their_ends() -> None:
    ids = [clean_user_id(read_query(f"/?user_id={'%41' * 3800}{end}")["user_id"]) for end in "ab"]
    assert ids[0] != ids[1]
    assert all(found is not None and found.startswith("A" * 95 + "~") for found in ids)


def test_of_a_longer_name_keeps_its_beginning_without_half_a_character() -> None:
    found = read_query("/?display_name=x" + "%F0%9F%A6%89" * 200)["display_name"]
    assert found == "x" + "🦉" * 79
    name = clean_profile("ada", display_name=found).display_name
    assert name == found


@pytest.mark.parametrize("name", ["avatar_url", "color", "session_id"])
def test_of_any_other_value_that_is_too_long_leaves_it_out(name: str) -> None:
    assert read_query(f"/?{name}={'%41' * 4000}&token=x") == {"token": "x"}


def test_decodes_not_much_more_than_the_characters_that_may_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded: list[str] = []

    decode = handshake._decode

    def noted(raw: str) -> str:
        decoded.append(raw)
        return decode(raw)

    monkeypatch.setattr(handshake, "_decode", noted)
    read_query("/?user_id=" + "%41" * 3800 + "&display_name=" + "%CC%81" * 640)
    assert [len(raw) for raw in decoded] == [128 * 3, 80 * 3, 80 * 6]
