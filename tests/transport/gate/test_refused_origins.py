"""Which origins are named in the log, and how often."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from presence_server.transport.gate.refused_origins import MOST_ORIGINS, RefusedOrigins
from presence_server.transport.http.head import parse_head
from tests.transport.frames import upgrade_request


def logged(*origins: str) -> list[str]:
    """The origins that lines name, after pages of these origins were refused."""
    refused = RefusedOrigins()
    with capture_logs() as lines:
        for origin in origins:
            refused.note(parse_head(upgrade_request(Origin=origin)))
    assert all("auth.allowed_origins" in line["event"] for line in lines)
    return [line["origin"] for line in lines]


def test_each_origin_is_named_once_as_the_setting_wants_it() -> None:
    assert logged(
        "https://a.example", "HTTPS://A.example:443", "http://127.0.0.1:9001", "null"
    ) == [
        "https://a.example",
        "http://127.0.0.1:9001",
        "null",
    ]


@pytest.mark.parametrize("origin", ["", "*", "x", "https://a b", "https://" + "a" * 300, "a://<b>"])
def test_what_is_no_origin_is_not_named(origin: str) -> None:
    assert logged(origin) == []


def test_clients_cannot_fill_the_log() -> None:
    assert len(logged(*(f"https://{n}.example" for n in range(2 * MOST_ORIGINS)))) == MOST_ORIGINS


def test_a_request_without_an_origin_is_not_named() -> None:
    with capture_logs() as lines:
        RefusedOrigins().note(parse_head(upgrade_request()))
    assert lines == []
