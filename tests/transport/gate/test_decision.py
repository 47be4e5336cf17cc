"""Who serves a request, by the settings, the request and the counts of the moment."""

from __future__ import annotations

import pytest

from presence_server.transport.gate.decision import DecisionLimits, Ready, decide
from presence_server.transport.gate.upgrade import Plain
from presence_server.transport.http.head import parse_head
from presence_server.transport.http.ready_answers import NoAnswers
from presence_server.transport.http.refusal import Refusal
from presence_server.transport.sessions.handshake import Accepted
from tests.transport.frames import HEAD, upgrade_request

LIMITS = DecisionLimits(
    max_connections=2, max_message_bytes=1000, allowed_origins=frozenset({"https://friend.example"})
)
PAGE = b"GET /boards/demo HTTP/1.1\r\nHost: test\r\n\r\n"


def decided(
    head: bytes, rest: bytes = b"", *, connections: int = 0, is_draining: bool = False
) -> Plain | Ready | Accepted | Refusal:
    return decide(
        LIMITS,
        NoAnswers(),
        parse_head(head),
        head,
        rest,
        connections=connections,
        is_draining=is_draining,
    )


def test_an_upgrade_to_a_board_is_accepted_with_what_came_after_its_head() -> None:
    outcome = decided(HEAD, b"\x81", connections=1)
    assert isinstance(outcome, Accepted)
    assert outcome.handshake.board_id == "demo"
    assert outcome.response.startswith(b"HTTP/1.1 101 ")
    assert outcome.rest == b"\x81"


@pytest.mark.parametrize(
    ("head", "connections", "is_draining", "status"),
    [
        (HEAD, 2, False, 429),
        (HEAD, 0, True, 503),
        (upgrade_request("/ws/nothing"), 0, False, 404),
        (upgrade_request("/ws/boards/%20"), 0, False, 400),
        (upgrade_request(Origin="https://stranger.example"), 0, False, 403),
        (b"GET /ws/boards/demo HTTP/1.1\r\nHost: test\r\n\r\n", 0, False, 426),
    ],
)
def test_other_upgrades_are_refused_with_their_status(
    head: bytes, connections: int, is_draining: bool, status: int
) -> None:
    outcome = decided(head, connections=connections, is_draining=is_draining)
    assert isinstance(outcome, Refusal)
    assert outcome.status == status


def test_an_origin_of_the_settings_is_accepted() -> None:
    assert isinstance(decided(upgrade_request(Origin="https://friend.example")), Accepted)


@pytest.mark.parametrize(("connections", "is_draining"), [(2, False), (0, True)])
def test_a_page_is_for_the_web_application_on_a_full_server_and_in_a_drain(
    connections: int, is_draining: bool
) -> None:
    outcome = decided(PAGE, b"more", connections=connections, is_draining=is_draining)
    assert outcome == Plain(PAGE, 0)
