"""Who is connecting, and from which page."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.origin import normal_origin
from presence_server.protocol.profile import UserProfile, clean_profile
from presence_server.transport.http.head import RequestHead
from presence_server.transport.sessions.handshake import Handshake, read_query
from presence_server.transport.sessions.identity import anonymous_profile, origin_is_allowed

NONE: frozenset[str] = frozenset()


def handshake(**query: str) -> Handshake:
    target = f"/ws/boards/demo?{urlencode(query)}"
    return Handshake("demo", RequestHead("GET", target, [("host", "x")]), read_query(target))


def page(*origins: str, host: str = "board.example") -> RequestHead:
    return RequestHead("GET", "/", [("host", host), *(("origin", o) for o in origins)])


class TestProfile:
    def test_is_what_the_client_says(self) -> None:
        assert anonymous_profile(
            handshake(
                user_id="ada",
                display_name="Ada L",
                avatar_url="https://x/a.png",
                color="#a1b2c3",
            )
        ) == UserProfile("ada", "Ada L", "https://x/a.png", "#a1b2c3")

    def test_has_defaults(self) -> None:
        assert anonymous_profile(handshake(user_id="ada")) == clean_profile("ada")

    def test_without_a_user_id_is_a_guest(self) -> None:
        first, second = anonymous_profile(handshake()), anonymous_profile(handshake())
        assert re.fullmatch(r"guest-[a-z0-9]{8}", first.user_id)
        assert first.display_name == f"Guest {first.user_id[6:10]}"
        assert first.user_id != second.user_id

    def test_of_a_guest_keeps_the_name_that_was_given(self) -> None:
        assert anonymous_profile(handshake(display_name="Eve")).display_name == "Eve"

    @pytest.mark.parametrize("user_id", ["", "\0"])
    def test_with_nothing_left_of_the_user_id_is_a_guest(self, user_id: str) -> None:
        assert anonymous_profile(handshake(user_id=user_id)).user_id.startswith("guest-")

    @given(st.binary(max_size=300), st.binary(max_size=200))
    def test_is_clean_whatever_bytes_are_sent(self, user_id: bytes, name: bytes) -> None:
        target = f"/?user_id={quote(user_id)}&display_name={quote(name)}"
        head = RequestHead("GET", target, [])
        profile = anonymous_profile(Handshake("demo", head, read_query(target)))
        assert 1 <= len(profile.user_id) <= 128
        assert 1 <= len(profile.display_name) <= 128
        assert "\0" not in profile.user_id + profile.display_name
        (profile.user_id + profile.display_name).encode()


def test_a_session_to_resume_is_named_in_the_query() -> None:
    assert handshake(session_id="s").resume == "s"
    assert handshake().resume is None


class TestOrigin:
    def test_is_not_needed(self) -> None:
        assert origin_is_allowed(page(), NONE)

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("https://board.example", "Board.Example"),
            ("https://board.example", "board.example:443"),
            ("HTTPS://BOARD.example:443", "board.example"),
            ("http://board.example:80", "board.example"),
        ],
    )
    def test_of_this_host_in_another_spelling_may(self, origin: str, host: str) -> None:
        assert origin_is_allowed(page(origin, host=host), NONE)
        assert origin_is_allowed(page(origin), frozenset({normal_origin(origin)}))

    def test_of_another_port_of_this_host_may_not(self) -> None:
        assert not origin_is_allowed(page("https://board.example:80", host="board.example"), NONE)
        assert not origin_is_allowed(page("http://board.example", host="board.example:443"), NONE)

    @pytest.mark.parametrize("origin", ["http://board.example", "https://board.example"])
    def test_of_this_host_may(self, origin: str) -> None:
        assert origin_is_allowed(page(origin), NONE)

    @pytest.mark.parametrize(
        "origin",
        [
            "null",
            "",
            "board.example",
            "https://evil.example",
            "https://board.example.evil.example",
            "https://evil-board.example",
            "https://sub.board.example",
            "https://board.example:8443",
            "https://board.example/",
            "https://evil.example#board.example",
            "https://evil.example://board.example",
            "ftp://board.example",
            "://board.example",
            "https://board.example https://board.example",
        ],
    )
    def test_of_another_may_not(self, origin: str) -> None:
        assert not origin_is_allowed(page(origin), NONE)
        assert not origin_is_allowed(page(origin), frozenset({"https://good.example"}))

    def test_that_is_allowed_matches_exactly(self) -> None:
        allowed = frozenset({"https://good.example"})
        assert origin_is_allowed(page("https://good.example"), allowed)
        assert not origin_is_allowed(page("https://good.example.evil"), allowed)
        assert not origin_is_allowed(page("https://sub.good.example"), allowed)
        assert not origin_is_allowed(page("http://good.example"), allowed)

    def test_null_may_only_where_it_is_named(self) -> None:
        assert origin_is_allowed(page("null"), frozenset({"null"}))

    def test_may_be_any_with_a_star(self) -> None:
        assert origin_is_allowed(page("https://anywhere.example"), frozenset({"*"}))

    def test_is_one(self) -> None:
        assert not origin_is_allowed(page("http://board.example", "http://board.example"), NONE)

    def test_matches_no_host_when_the_host_is_empty(self) -> None:
        assert not origin_is_allowed(page("null", host=""), NONE)
