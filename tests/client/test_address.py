"""Where a server is, from what people write."""

from __future__ import annotations

import pytest

from presence_server.client.address import parse_address


@pytest.mark.parametrize(
    ("text", "netloc", "port", "tls", "path"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000", 8000, False, ""),
        ("presence.example", "presence.example", 80, False, ""),
        ("http://presence.example/", "presence.example", 80, False, ""),
        ("https://presence.example", "presence.example", 443, True, ""),
        ("wss://presence.example:444/base/", "presence.example:444", 444, True, "/base"),
        ("ws://[::1]:8000", "[::1]:8000", 8000, False, ""),
    ],
)
def test_addresses_and_urls_are_understood(
    text: str, netloc: str, port: int, tls: bool, path: str
) -> None:
    address = parse_address(text)
    assert (address.netloc, address.port, address.tls, address.path) == (netloc, port, tls, path)


@pytest.mark.parametrize("text", ["", "ftp://a", "http://", "http://a:port"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - urllib words some of them
        parse_address(text)


def test_targets_hold_what_is_given_and_escape_it() -> None:
    address = parse_address("http://a/base")
    assert address.target("b:1~", {"user_id": None}) == "/base/ws/boards/b%3A1~"
    assert (
        address.target("b 1", {"user_id": "ü&", "color": None, "display_name": "A B"})
        == "/base/ws/boards/b%201?user_id=%C3%BC%26&display_name=A+B"
    )
