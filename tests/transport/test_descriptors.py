"""Telling that few descriptors are left, before there are none."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from presence_server.transport.descriptors import RESERVE, are_few_left, is_among_the_last

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
