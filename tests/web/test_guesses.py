"""An address may guess the admin token a few times a second, and no more."""

from __future__ import annotations

from presence_server.web.guesses import (
    GUESSES_AT_ONCE,
    GUESSES_PER_S,
    MAX_ADDRESSES,
    GuessLimiter,
)


def guesses_in(seconds: int, per_second: int) -> int:
    """How many of these guesses an address gets through."""
    limiter, passed = GuessLimiter(), 0
    for step in range(seconds * per_second):
        now = step / per_second
        if limiter.wait_s("1.2.3.4", now) == 0:
            limiter.note("1.2.3.4", now)
            passed += 1
    return passed


def test_a_flood_of_guesses_passes_at_the_rate() -> None:
    assert guesses_in(60, 446) <= GUESSES_AT_ONCE + 60 * GUESSES_PER_S


def test_one_wrong_token_a_second_is_never_refused() -> None:
    assert guesses_in(60, 1) == 60


def test_other_addresses_are_not_held_up() -> None:
    limiter = GuessLimiter()
    for _ in range(GUESSES_AT_ONCE):
        limiter.note("1.2.3.4", 0.0)
    assert limiter.wait_s("1.2.3.4", 0.0) == 1
    assert limiter.wait_s("5.6.7.8", 0.0) == 0


def test_memory_is_bounded_and_the_latest_guesses_are_kept() -> None:
    limiter = GuessLimiter()
    for number in range(MAX_ADDRESSES + 10):
        for _ in range(GUESSES_AT_ONCE):
            limiter.note(str(number), 0.0)
    assert limiter.wait_s("0", 0.0) == 0
    assert limiter.wait_s(str(MAX_ADDRESSES + 9), 0.0) == 1
