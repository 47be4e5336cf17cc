"""The slot of a board is the same in every process, and boards spread over the slots."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.cluster.slots import slot_of

BOARD_IDS = st.text("ABCabc019_-.:~", min_size=1, max_size=128)


@given(BOARD_IDS, st.integers(1, 256))
def test_a_slot_is_one_of_the_slots(board_id: str, slots: int) -> None:
    assert 0 <= slot_of(board_id, slots) < slots


def test_the_slot_of_a_board_never_changes_between_releases() -> None:
    # These numbers keep a change of the hash from going unnoticed.
    assert [slot_of(board, 8) for board in ("demo", "team-1", "a", "Z" * 128)] == [0, 4, 7, 3]


@pytest.mark.parametrize("slots", [2, 4, 8])
@pytest.mark.parametrize("name", ["board-{}", "{}", "team:{}:notes"])
def test_numbered_boards_spread_evenly(name: str, slots: int) -> None:
    boards = Counter(slot_of(name.format(number), slots) for number in range(1000 * slots))
    assert min(boards.values()) > 850
    assert max(boards.values()) < 1150
