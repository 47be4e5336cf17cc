"""Whether and when a client comes back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.client.retry import (
    MAX_DELAY_S,
    Ending,
    asked_after_error_s,
    asked_by_close_s,
    delay_s,
    what_next,
)
from presence_server.protocol.errors import RECONNECT, Reconnect


@pytest.mark.parametrize(("code", "choice"), RECONNECT.items())
def test_every_close_code_follows_the_table(code: int, choice: Reconnect) -> None:
    assert what_next(Ending(code, "")) is choice


@pytest.mark.parametrize("code", [None, 1005, 1006, 1015, 3000, 4999])
def test_anything_else_is_a_drop(code: int | None) -> None:
    assert what_next(Ending(code, "")) is Reconnect.RESUME


@pytest.mark.parametrize(
    ("status", "choice"),
    [
        (400, Reconnect.NO),
        (403, Reconnect.NO),
        (404, Reconnect.NO),
        (429, Reconnect.RESUME),
        (503, Reconnect.RESUME),
    ],
)
def test_a_refused_upgrade_is_final_unless_it_says_later(status: int, choice: Reconnect) -> None:
    assert what_next(Ending(None, "", opened=False, status=status)) is choice


@given(st.integers(0, 10_000), st.floats(0, 600), st.integers())
def test_delays_are_bounded_and_never_shorter_than_asked(
    attempt: int, asked: float, seed: int
) -> None:
    delay = delay_s(Ending(1012, "", retry_after_s=asked), attempt, random.Random(seed))
    assert asked <= delay <= asked + MAX_DELAY_S


def test_delays_grow_and_are_spread() -> None:
    rng = random.Random(1)
    early = [delay_s(Ending(None, ""), 0, rng) for _ in range(200)]
    late = [delay_s(Ending(None, ""), 6, rng) for _ in range(200)]
    assert max(early) <= 0.5
    assert min(late) < 5
    assert max(late) > 25


@pytest.mark.parametrize(
    ("code", "reason", "delay"),
    [
        (1012, '{"retry_after_ms": 1500}', 1.5),
        (1012, '{"retry_after_ms": -5}', 0.0),
        (1012, '{"retry_after_ms": 1e12}', 600.0),
        (1012, '{"retry_after_ms": "soon"}', None),
        (1012, "restarting", None),
        (1011, '{"retry_after_ms": 1500}', None),
    ],
)
def test_a_restarting_server_says_when_to_come_back(
    code: int, reason: str, delay: float | None
) -> None:
    assert asked_by_close_s(code, reason) == delay


@pytest.mark.parametrize(
    ("code", "asked_ms", "delay"),
    [
        (1013, 5000, 5.0),
        (4429, 100, 0.1),
        (1013, None, None),
        (1013, -1, 0.0),
        (1013, 10**12, 600.0),
        (1011, 5000, None),
    ],
)
def test_the_error_before_the_close_says_when_to_come_back(
    code: int, asked_ms: int | None, delay: float | None
) -> None:
    assert asked_after_error_s(code, asked_ms) == delay
