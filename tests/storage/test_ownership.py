from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from presence_server.presence.bridge import Bridge
from presence_server.storage import migrate
from presence_server.storage.errors import OwnershipLost
from presence_server.storage.ownership import Claimant, OwnerRow, may_claim
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url
from tests.servers import PostgresServer
from tests.storage.records import record

ADA = Claimant("ada", "machine")
BOB = Claimant("bob", "machine")


def nobody_is_dead(_owner_id: str, _host: str | None) -> bool:
    return False


def everybody_is_dead(_owner_id: str, _host: str | None) -> bool:
    return True


@pytest.mark.parametrize(
    ("row", "claimant", "may_bury", "expected"),
    [
        (OwnerRow(None, None, 0, has_expired=True), ADA, False, True),
        (OwnerRow(None, None, 7, has_expired=True), ADA, False, True),
        (OwnerRow("bob", None, 7, has_expired=False), ADA, True, False),
        (OwnerRow("bob", None, 7, has_expired=True), ADA, True, True),
        (OwnerRow("bob", None, 7, has_expired=True), ADA, False, False),
        # Its own claim, of which it never heard.
        (OwnerRow("ada", None, 7, has_expired=False), ADA, False, True),
        # Owned before: by this server, by others meanwhile, and in a store from the past.
        (OwnerRow("ada", None, 7, has_expired=True), replace(ADA, epoch=7), False, True),
        (OwnerRow("bob", None, 8, has_expired=True), replace(ADA, epoch=7), True, False),
        (OwnerRow(None, None, 8, has_expired=True), replace(ADA, epoch=7), True, False),
        (OwnerRow("bob", None, 7, has_expired=True), replace(ADA, epoch=7), True, False),
        (OwnerRow("bob", None, 6, has_expired=False), replace(ADA, epoch=7), False, True),
        (OwnerRow(None, None, 0, has_expired=True), replace(ADA, epoch=7), False, True),
    ],
)
def test_who_may_own_the_store(
    row: OwnerRow, claimant: Claimant, *, may_bury: bool, expected: bool
) -> None:
    assert may_claim(row, claimant, may_bury=may_bury, is_dead=nobody_is_dead) is expected


def test_a_dead_owner_needs_no_lease_to_end() -> None:
    row = OwnerRow("bob", "machine", 7, has_expired=False)
    assert may_claim(row, ADA, may_bury=False, is_dead=everybody_is_dead)


@pytest.fixture
async def stores(postgres_url: str, bridge: Bridge) -> list[Repository]:
    """Two servers' views of one migrated store."""
    await trio.to_thread.run_sync(migrate.upgrade, postgres_url)
    return [Repository(parse_url(postgres_url)) for _ in range(2)]


@pytest.mark.postgres
async def test_one_server_owns_the_store_and_only_it_may_write(
    bridge: Bridge, stores: list[Repository]
) -> None:
    first, second = stores
    assert await bridge.call(first.claim, ADA, True, nobody_is_dead) == 1
    assert await bridge.call(second.claim, BOB, True, nobody_is_dead) is None
    await bridge.call(first.insert_presence, [record(0)])
    await bridge.call(first.release, replace(ADA, epoch=1))
    assert await bridge.call(second.claim, BOB, False, nobody_is_dead) == 2
    await bridge.call(second.insert_presence, [record(1)])
    with pytest.raises(OwnershipLost):
        await bridge.call(first.insert_presence, [record(2)])
    with pytest.raises(OwnershipLost):
        await bridge.call(first.delete_closed_before, 1, 1)
    assert not await bridge.call(first.renew, replace(ADA, epoch=1))
    assert await bridge.call(second.renew, replace(BOB, epoch=2))
    rows = await bridge.call(first.list_active_presence, None)
    assert {row.record.session_id for row in rows} == {"session-0", "session-1"}
    for store in stores:
        await bridge.call(store.aclose)


@pytest.mark.postgres
async def test_an_owner_claims_again_under_its_epoch_and_after_the_row_is_gone_under_a_new_one(
    bridge: Bridge, stores: list[Repository], postgres_server: PostgresServer, postgres_url: str
) -> None:
    first, _second = stores
    assert await bridge.call(first.claim, ADA, True, nobody_is_dead) == 1
    ada = replace(ADA, epoch=1)
    assert await bridge.call(first.claim, ada, False, nobody_is_dead) == 1
    postgres_server.execute("DELETE FROM collab.store_owner", postgres_url)
    with pytest.raises(OwnershipLost):
        await bridge.call(first.insert_presence, [record(0)])
    assert await bridge.call(first.claim, ada, False, nobody_is_dead) == 2
    await bridge.call(first.insert_presence, [record(0)])
    for store in stores:
        await bridge.call(store.aclose)


@pytest.mark.postgres
async def test_the_store_of_a_server_whose_lease_is_over_can_be_claimed(
    bridge: Bridge, stores: list[Repository], postgres_server: PostgresServer, postgres_url: str
) -> None:
    first, second = stores
    await bridge.call(first.claim, ADA, True, nobody_is_dead)
    postgres_server.execute("UPDATE collab.store_owner SET lease_until = now()", postgres_url)
    assert await bridge.call(second.claim, BOB, False, nobody_is_dead) is None
    assert await bridge.call(second.claim, BOB, True, nobody_is_dead) == 2
    for store in stores:
        await bridge.call(store.aclose)
