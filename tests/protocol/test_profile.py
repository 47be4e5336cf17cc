"""The rules of a profile: its fields are cleaned or replaced by a default, never refused."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.palette import PALETTE, palette_color
from presence_server.protocol.profile import (
    ProfileChange,
    UserProfile,
    change_profile,
    clean_profile,
    clean_user_id,
    is_board_id,
)

ANY_TEXT = st.text(st.characters(exclude_categories=[]))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


class TestBoardId:
    @pytest.mark.parametrize("text", ["a", "a" * 128, "A-z_0.9:~"])
    def test_takes_the_letters_of_the_protocol(self, text: str) -> None:
        assert is_board_id(text)

    @pytest.mark.parametrize("text", ["", "a" * 129, "a/b", "a b", "é", "a\n", "a\0", "%41", "a?"])
    def test_takes_nothing_else(self, text: str) -> None:
        assert not is_board_id(text)


class TestUserId:
    def test_loses_nul_and_lone_surrogates(self) -> None:
        assert clean_user_id("a\0b\ud800c") == "abc"

    @pytest.mark.parametrize("raw", ["", "\0", "\udfff\0"])
    def test_of_which_nothing_is_left_is_none(self, raw: str) -> None:
        assert clean_user_id(raw) is None

    def test_as_long_as_allowed_stands(self) -> None:
        assert clean_user_id("x" * 128) == "x" * 128

    def test_too_long_is_cut_without_making_one_person_of_two(self) -> None:
        one, two = clean_user_id("x" * 200 + "1"), clean_user_id("x" * 200 + "2")
        assert one is not None
        assert two is not None
        assert one != two
        assert len(one) == 128
        assert one.startswith("x" * 95)

    @given(ANY_TEXT)
    def test_is_clean_and_stays_so(self, raw: str) -> None:
        clean = clean_user_id(raw)
        if clean is not None:
            assert 1 <= len(clean) <= 128
            assert is_storable(clean)
            assert clean_user_id(clean) == clean


class TestDisplayName:
    @staticmethod
    def name(raw: str | None, user_id: str = "ada") -> str:
        return clean_profile(user_id, display_name=raw).display_name

    @pytest.mark.parametrize("raw", [None, "", "   ", "\0", "\u202e\n", "\u2028"])
    def test_defaults_to_the_user_id(self, raw: str | None) -> None:
        assert self.name(raw) == "ada"

    def test_defaults_to_guest_for_an_id_that_is_no_name(self) -> None:
        assert self.name(None, user_id="\x01") == "Guest"

    @pytest.mark.parametrize(
        "raw",
        [
            *"\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u200c\u200d\u2060\u2063\u2800\u3164\ufe0f\ufeff\uffa0",
            *"\ufff9\ufffa\ufffb",
            *"\U0001bca0\U0001d159\U0001d173\U000e0001\U000e0041\U000e0100",
            "\u3164 \u200b\u2800",
            "\u200b" * 100 + "Ada",
        ],
    )
    def test_defaults_to_the_user_id_if_it_draws_nothing(self, raw: str) -> None:
        assert clean_profile("ada", display_name=raw).display_name == "ada"
        assert clean_profile(raw[:1]).display_name == "Guest"

    @pytest.mark.parametrize(
        "name",
        [
            "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\u2764\ufe0f",
            "\U0001f3f4\U000e0067\U000e0062\U000e007f",
            "\u0915\u094d\u200d\u0937",
        ],
    )
    def test_keeps_joiners_and_selectors_inside(self, name: str) -> None:
        assert clean_profile("ada", display_name=name).display_name == name

    def test_defaults_to_as_much_of_the_user_id_as_fits(self) -> None:
        assert self.name(None, user_id="x" * 128) == "x" * 80

    def test_loses_control_and_bidi_characters(self) -> None:
        assert self.name(f"A\x00d{BIDI}a\r\n\x7f\x85") == "Ada"
        lost = [c for c in map(chr, range(0x3000)) if self.name(f"A{c}é") == "Aé"]
        by_category = [
            c for c in map(chr, range(0x3000)) if unicodedata.category(c) in ("Cc", "Zl", "Zp")
        ]
        assert sorted(lost) == sorted([*by_category, *BIDI])

    def test_becomes_nfc_even_across_what_was_removed(self) -> None:
        assert self.name("Rene\u0301") == "Ren\u00e9"
        assert self.name("Rene\x01\u0301") == "Ren\u00e9"

    def test_is_cut_to_80_characters_without_space_at_the_ends(self) -> None:
        assert self.name("  " + "x" * 79 + "  y") == "x" * 79

    def test_keeps_every_script(self) -> None:
        assert self.name("عمر 👩🏽\u200d🚀 Ö") == "عمر 👩🏽\u200d🚀 Ö"


class TestAvatar:
    @staticmethod
    def avatar(url: str | None) -> str | None:
        return clean_profile("ada", avatar_url=url).avatar_url

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.org/a.png",
            "http://localhost:8080/?a=b#c",
            "HTTPS://EXAMPLE.ORG",
            "https://[::1]/a",
            "https://e.org/" + "x" * (2048 - 14),
        ],
    )
    def test_absolute_http_stands(self, url: str) -> None:
        assert self.avatar(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            None,
            "",
            "javascript:alert(1)",
            "data:image/png;base64,x",
            "//example.org/a",
            "/a.png",
            "https:///a",
            "https:example.org",
            "https://[::1",
            "https://e.org:x/",
            "https://e.org/a b",
            'https://e.org/"><script>',
            "https://e.org/\n",
            "\thttps://e.org/",
            "https://e.org/\ud800",
            "https://e.org/\0",
            "https://e.org/" + "x" * (2048 - 13),
        ],
    )
    def test_anything_else_is_null(self, url: str | None) -> None:
        assert self.avatar(url) is None


class TestColor:
    def test_of_six_digits_stands_in_lower_case(self) -> None:
        assert clean_profile("ada", color="#AbCdEf").color == "#abcdef"

    @pytest.mark.parametrize("color", [None, "", "red", "#abc", "#abcdeg", "abcdef", "#abcdef\n"])
    def test_of_any_other_form_is_replaced_from_the_palette(self, color: str | None) -> None:
        assert clean_profile("ada", color=color).color == palette_color("ada")

    @pytest.mark.parametrize("color", PALETTE)
    def test_of_the_palette_contrasts_with_white(self, color: str) -> None:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
        )
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5

    def test_is_the_same_in_every_process(self) -> None:
        users = ["ada", "bob", "guest-12345678", "Ünï"]
        code = (
            "import sys; from presence_server.protocol.profile import palette_color as p;"
            "print(*map(p, sys.argv[1:]))"
        )
        for seed in ("1", "2"):
            run = subprocess.run(
                [sys.executable, "-X", "utf8", "-c", code, *users],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            )
            assert run.stdout.split() == [palette_color(user) for user in users]

    def test_is_the_one_it_has_always_been(self) -> None:
        assert palette_color("ada") == "#be123c"

    def test_is_spread_over_the_whole_palette(self) -> None:
        assert {palette_color(f"user-{n}") for n in range(500)} == set(PALETTE)


def assert_follows_the_rules(profile: UserProfile) -> None:
    name = profile.display_name
    assert 1 <= len(name) <= 80
    assert is_storable(name)
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(c) == "Cc" or c in BIDI for c in name)
    avatar = profile.avatar_url
    if avatar is not None:
        assert avatar.lower().startswith(("http://", "https://"))
        assert len(avatar) <= 2048
        assert is_storable(avatar)
    color = profile.color
    assert color[0] == "#"
    assert len(color) == 7
    assert set(color[1:]) <= set("0123456789abcdef")


@given(
    ANY_TEXT.filter(lambda raw: clean_user_id(raw) is not None),
    st.none() | ANY_TEXT,
    st.none() | ANY_TEXT | ANY_TEXT.map(lambda rest: f"https://example.org{rest}"),
    st.none() | ANY_TEXT | st.from_regex(r"#[0-9a-fA-F]{6}", fullmatch=True),
)
def test_any_profile_follows_the_rules_and_cleaning_it_again_changes_nothing(
    raw_id: str, name: str | None, avatar: str | None, color: str | None
) -> None:
    user_id = clean_user_id(raw_id)
    assert user_id is not None
    profile = clean_profile(user_id, display_name=name, avatar_url=avatar, color=color)
    assert_follows_the_rules(profile)
    again = clean_profile(
        user_id,
        display_name=profile.display_name,
        avatar_url=profile.avatar_url,
        color=profile.color,
    )
    assert again == profile


class TestChange:
    ADA = UserProfile("ada", "Ada", "https://x.example/a.png", "#010203")

    def test_that_gives_nothing_changes_nothing(self) -> None:
        assert change_profile(self.ADA, ProfileChange()) == self.ADA

    def test_replaces_what_is_given_and_cleans_it(self) -> None:
        change = ProfileChange(display_name=" L\u202e ", avatar_url="javascript:x", color="#ABCDEF")
        assert change_profile(self.ADA, change) == UserProfile("ada", "L", None, "#abcdef")

    def test_to_null_is_a_change_to_the_default(self) -> None:
        change = ProfileChange(display_name=None, avatar_url=None, color=None)
        assert change_profile(self.ADA, change) == clean_profile("ada")

    @given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
    def test_leads_to_a_clean_profile_that_stays_so(self, name: str, url: str, color: str) -> None:
        changed = change_profile(self.ADA, ProfileChange(name, url, color))
        assert change_profile(changed, ProfileChange()) == changed
