"""Refusals are counted by reason, and each reason is logged once a minute at most."""

from __future__ import annotations

import structlog.testing

from presence_server.refusals import RefusalCounter, RefusalReason


def test_a_reason_is_logged_at_once_and_then_once_a_minute_with_its_count() -> None:
    now = 0.0
    counter = RefusalCounter(lambda: now)
    with structlog.testing.capture_logs() as lines:
        for second in range(121):
            now = float(second)
            counter.note(RefusalReason.TOKEN_EXPIRED)
        counter.note(RefusalReason.ORIGIN)
    assert [(line["reason"], line["count"]) for line in lines] == [
        ("token_expired", 1),
        ("token_expired", 60),
        ("token_expired", 60),
        ("origin", 1),
    ]
    assert {line["event"] for line in lines} == {"clients refused"}
    assert counter.counts[RefusalReason.TOKEN_EXPIRED] == 121
    assert counter.counts[RefusalReason.ADMIN_TOKEN] == 0
