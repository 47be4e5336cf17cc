"""The store through PgBouncer as it is installed: nothing set but the pool mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import trio

from presence_server.presence.bridge import Bridge
from presence_server.storage import migrate
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url
from presence_server.storage.write_batch import Closing, WriteBatch
from tests.servers import PgBouncer, PostgresServer, start_pgbouncer
from tests.storage.records import T0, record, seen

pytestmark = [pytest.mark.postgres, pytest.mark.pgbouncer]


@pytest.fixture(params=["session", "transaction"])
def pooler(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    server = start_pgbouncer(postgres_server, request.param)
    yield server
    server.remove()


@pytest.fixture
def pooled_url(pooler: PgBouncer, postgres_url: str) -> str:
    """An empty database, through the pooler."""
    return pooler.url(postgres_url.rpartition("/")[2])


async def test_tables_are_made_looked_at_and_removed(pooled_url: str) -> None:
    assert (await trio.to_thread.run_sync(migrate.upgrade, pooled_url)).up_to_date
    assert (await trio.to_thread.run_sync(migrate.status, pooled_url)).up_to_date
    assert (await trio.to_thread.run_sync(migrate.downgrade, pooled_url)).current is None


async def test_reads_and_writes_at_once_all_succeed(bridge: Bridge, pooled_url: str) -> None:
    await trio.to_thread.run_sync(migrate.upgrade, pooled_url)
    repositories = [Repository(parse_url(pooled_url)) for _ in range(3)]
    answered = 0

    async def read(repository: Repository) -> None:
        nonlocal answered
        for _ in range(20):
            await bridge.call(repository.history, "b", None, 10)
            await bridge.call(repository.list_active_presence, None)
            answered += 2

    async def write(repository: Repository, number: int) -> None:
        for step in range(20):
            row = record(number * 100 + step)
            await bridge.call(
                repository.write, WriteBatch(profiles=[seen(number)], inserts=[row], updates=[row])
            )
            closing = Closing(row.board_id, row.session_id, T0 + 1)
            await bridge.call(repository.mark_disconnected, [closing])

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for number, repository in enumerate(repositories):
                nursery.start_soon(read, repository)
                nursery.start_soon(read, repository)
                nursery.start_soon(write, repository, number)
    assert answered == 240
    assert len(await bridge.call(repositories[0].history, "b", None, 100)) == 60
    for repository in repositories:
        await bridge.call(repository.aclose)


async def test_no_statement_has_a_name(bridge: Bridge, pooled_url: str) -> None:
    await trio.to_thread.run_sync(migrate.upgrade, pooled_url)
    repository = Repository(parse_url(pooled_url))
    counted = sa.text("SELECT count(*) FROM pg_prepared_statements")

    async def after_work() -> int:
        # The same statements again and again: a driver would give them names by now.
        for _ in range(10):
            await repository.insert_presence([record()])
            await repository.history("b", None, 10)
        async with repository._connections.transaction(write=True) as connection:
            found: int = (await connection.execute(counted)).scalar_one()
            return found

    assert await bridge.call(after_work) == 0
    await bridge.call(repository.aclose)


async def test_the_timeouts_hold_in_a_transaction_and_are_gone_after_it(
    bridge: Bridge, pooler: PgBouncer, pooled_url: str, postgres_server: PostgresServer
) -> None:
    repository = Repository(parse_url(pooled_url))
    names = ("statement_timeout", "idle_in_transaction_session_timeout")

    async def inside() -> list[str]:
        async with repository._connections.transaction(write=True) as connection:
            return [
                (await connection.execute(sa.select(sa.func.current_setting(name)))).scalar_one()
                for name in names
            ]

    assert await bridge.call(inside) == ["8s", "8s"]
    await bridge.call(repository.aclose)
    for name in names:
        # The pooler gives the same server connection to the next client.
        (row,) = await trio.to_thread.run_sync(postgres_server.execute, f"SHOW {name}", pooled_url)
        assert row[0] == "0"
