"""How a server keeps its store: the lease in PostgreSQL, the lock file beside SQLite."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from presence_server.presence.bounded_calls import BoundedCalls
from presence_server.presence.ownership import LOOK_S, FileOwnership, LeaseOwnership
from presence_server.storage.errors import StorageUnavailable
from presence_server.storage.ownership import LEASE_S, Claimant
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url
from tests.presence.fakes import DirectBridge


class FakeRepository:
    """A store of another server, whose lease is over."""

    def __init__(self) -> None:
        self.is_down = False
        self.may_bury: list[bool] = []

    def write_as(self, owner: Claimant) -> None:
        pass

    async def release(self, owner: Claimant) -> None:
        pass

    async def claim(
        self, claimant: Claimant, may_bury: bool, is_dead: Callable[..., bool]
    ) -> int | None:
        if self.is_down:
            raise StorageUnavailable("down")
        self.may_bury.append(may_bury)
        return 7 if may_bury else None


async def test_after_an_outage_a_server_leaves_the_owner_the_time_to_extend_its_lease(
    autojump_clock: MockClock,
) -> None:
    repository = FakeRepository()
    calls = BoundedCalls(DirectBridge(), StorageUnavailable, "late")
    ownership = LeaseOwnership(cast("Repository", repository), calls)
    repository.is_down = True
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await ownership.claim()
        await trio.sleep(30)
    with pytest.raises(StorageUnavailable):
        await ownership.claim()
    repository.is_down = False
    assert not await ownership.claim()
    await trio.sleep(LEASE_S - 0.1)
    assert not await ownership.claim()
    await trio.sleep(0.2)
    assert await ownership.claim()
    assert repository.may_bury == [False, False, True]
    await ownership.release()


async def test_a_server_that_saw_no_outage_claims_at_once(autojump_clock: MockClock) -> None:
    repository = FakeRepository()
    calls = BoundedCalls(DirectBridge(), StorageUnavailable, "late")
    ownership = LeaseOwnership(cast("Repository", repository), calls)
    assert await ownership.claim()
    await ownership.release()


@pytest.fixture
async def owner(tmp_path: Path, nursery: trio.Nursery) -> FileOwnership:
    owner = FileOwnership(parse_url(f"sqlite:///{tmp_path}/presence.db"))
    assert await owner.claim()
    nursery.start_soon(owner.keep)
    return owner


def is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@pytest.mark.parametrize("damage", ["delete", "replace"])
async def test_a_lock_file_that_is_gone_is_locked_again(
    autojump_clock: MockClock, tmp_path: Path, owner: FileOwnership, damage: str
) -> None:
    path = tmp_path / "presence.db.lock"
    path.unlink()
    if damage == "replace":
        path.touch()
    await trio.sleep(LOOK_S + 0.1)
    assert is_locked(path)
    assert not owner.lost.is_set()


async def test_a_lock_file_of_another_server_ends_the_ownership(
    autojump_clock: MockClock, tmp_path: Path, owner: FileOwnership
) -> None:
    path = tmp_path / "presence.db.lock"
    path.unlink()
    other = FileOwnership(parse_url(f"sqlite:///{tmp_path}/presence.db"))
    assert await other.claim()
    await trio.sleep(LOOK_S + 0.1)
    assert owner.lost.is_set()
    assert not await owner.claim()
    await other.release()
    assert await owner.claim()


async def test_a_folder_that_is_gone_for_a_while_does_not_end_the_ownership(
    autojump_clock: MockClock, tmp_path: Path, nursery: trio.Nursery
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    owner = FileOwnership(parse_url(f"sqlite:///{folder}/presence.db"))
    assert await owner.claim()
    nursery.start_soon(owner.keep)
    (folder / "presence.db.lock").unlink()
    folder.rmdir()
    folder.touch()
    await trio.sleep(3 * LOOK_S)
    assert not owner.lost.is_set()
    folder.unlink()
    await trio.sleep(LOOK_S + 0.1)
    assert is_locked(folder / "presence.db.lock")
