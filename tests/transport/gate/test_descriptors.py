"""Telling that few descriptors are left, before there are none."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from presence_server.transport.gate.descriptors import (
    RESERVE,
    are_few_left,
    is_among_the_last,
    make_room_for,
)

MAY_OPEN = 400


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """This process's limit, as far as it is asked for."""
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (MAY_OPEN, MAY_OPEN))
    return MAY_OPEN


@pytest.fixture
def opened() -> Iterator[list[int]]:
    descriptors: list[int] = []
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def test_some_are_kept_from_connections(limit: int) -> None:
    assert not is_among_the_last(limit - RESERVE - 1)
    assert is_among_the_last(limit - RESERVE)


def test_a_low_limit_leaves_most_of_them_to_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (40, 40))
    assert not is_among_the_last(29)
    assert is_among_the_last(30)


def test_without_a_limit_none_is_among_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: unlimited)
    assert not is_among_the_last(10**9)


def test_few_are_left_when_all_lower_ones_are_open(limit: int, opened: list[int]) -> None:
    assert not are_few_left(0)
    while not opened or opened[-1] < limit - RESERVE - 1:
        assert not are_few_left(0)
        opened.append(os.dup(0))
    assert are_few_left(0)
    os.close(opened.pop())
    assert not are_few_left(0)


def test_few_are_left_when_there_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def dup(_fd: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "dup", dup)
    assert are_few_left(0)


class Limits:
    """A system's limits on one process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.now = soft, hard
        monkeypatch.setattr(resource, "getrlimit", lambda _kind: self.now)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, _kind: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 1_000_000, 31_024),
        (1024, 4096, 4096),
        (1024, resource.RLIM_INFINITY, 31_024),
        (65_536, 1_000_000, 65_536),
        (1024, 1024, 1024),
        (100, 1_000_000, 100),
    ],
)
def test_room_is_made_for_the_connections_there_may_be(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int
) -> None:
    limits = Limits(monkeypatch, soft, hard)
    assert make_room_for(15_000) == raised - min(RESERVE, raised // 4)
    assert limits.now == (raised, hard)


def test_what_the_system_does_not_give_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(monkeypatch, 1024, 1_000_000)

    def refuse(_kind: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert make_room_for(15_000) == 1024 - RESERVE
