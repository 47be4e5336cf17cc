"""Origins are compared as browsers write them; settings that no browser sends are refused."""

from __future__ import annotations

import pytest

from presence_server.protocol.origin import checked_origin, normal_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://board.example", "https://board.example"),
        ("HTTPS://Board.Example", "https://board.example"),
        ("https://board.example:443", "https://board.example"),
        ("http://board.example:80", "http://board.example"),
        ("https://board.example:80", "https://board.example:80"),
        ("http://board.example:8080", "http://board.example:8080"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
        ("null", "null"),
    ],
)
def test_an_origin_is_written_as_a_browser_does(text: str, origin: str) -> None:
    assert checked_origin(text) == origin
    assert normal_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://*.example.com", "wildcard"),
        ("https://bücher.example", "ASCII"),
        ("https://board.example/", "not an origin"),
        ("https://board.example/path", "not an origin"),
        ("https://ada@board.example", "not an origin"),
        ("board.example", "not an origin"),
        ("https://", "not an origin"),
        ("https://a b", "not an origin"),
        ("https://board.example:", "not an origin"),
        ("https://board.example:0", "port"),
        ("https://board.example:70000", "port"),
        ("Null", "not an origin"),
        ("", "not an origin"),
    ],
)
def test_a_text_that_no_browser_sends_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        checked_origin(text)
