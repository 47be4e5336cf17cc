"""Where avatars may come from."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from presence_server.protocol.avatar_hosts import AvatarHosts, checked_host
from presence_server.protocol.profile import ProfileChange, clean_profile

HOSTS = AvatarHosts(["cdn.example.com", "*.pics.example"])


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://cdn.example.com/a.png", True),
        ("http://cdn.example.com:8080/a.png", True),
        ("https://CDN.Example.com/a.png", True),
        ("https://user:password@cdn.example.com/a", True),
        ("https://a.pics.example/1", True),
        ("https://a.b.pics.example/1", True),
        ("https://pics.example/1", False),
        ("https://evilpics.example/1", False),
        ("https://example.com/a.png", False),
        ("https://x.cdn.example.com/a.png", False),
        ("https://cdn.example.com.evil.example/", False),
        ("https://cdn.example.com@evil.example/", False),
        ("https://evil.example/cdn.example.com", False),
        ("https://evil.example?cdn.example.com", False),
        ("https://evil.example#.pics.example", False),
        ("https://cdn.example.com./a.png", False),
        ("https://[::1]/a.png", False),
    ],
)
def test_an_avatar_comes_from_a_named_host_or_there_is_none(url: str, is_allowed: bool) -> None:
    profile = clean_profile("ada", avatar_url=url)
    assert profile.avatar_url == url
    assert HOSTS.limit(profile).avatar_url == (url if is_allowed else None)
    change = HOSTS.limit_change(ProfileChange(avatar_url=url, color="#112233"))
    assert change == ProfileChange(avatar_url=url if is_allowed else None, color="#112233")


def test_no_name_allows_no_avatar_and_an_asterisk_all() -> None:
    url = "https://anywhere.example/a"
    assert not AvatarHosts([]).allows(url)
    assert AvatarHosts(["cdn.example.com", "*"]).allows(url)
    assert AvatarHosts().are_all


def test_what_changes_no_avatar_stays() -> None:
    for change in (ProfileChange(avatar_url=None), ProfileChange(display_name="Ada")):
        assert HOSTS.limit_change(change) is change
    assert ProfileChange(display_name="Ada").avatar_url is UNSET
    profile = clean_profile("ada")
    assert HOSTS.limit(profile) is profile


def test_a_new_avatar_that_is_no_address_takes_the_old_one_away() -> None:
    for url in ("http://[", "nonsense", ""):
        assert HOSTS.limit_change(ProfileChange(avatar_url=url)).avatar_url is None


@pytest.mark.parametrize("host", ["example.com", "*.Example.com", "*", "localhost", "10.0.0.1"])
def test_a_host_is_a_name_or_all_under_a_name(host: str) -> None:
    assert checked_host(host) == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        "",
        "https://example.com",
        "example.com:443",
        "example.com/",
        "*example.com",
        "a.*.com",
        "*.",
        ".example.com",
        "ex ample.com",
        "a; script-src *",
        "exämple.com",
        "[::1]",
    ],
)
def test_anything_else_is_not(host: str) -> None:
    with pytest.raises(ValueError, match="is not a host such as"):
        checked_host(host)
