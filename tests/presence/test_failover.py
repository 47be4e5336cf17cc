"""The address of a store leads to another server, and the old one keeps its connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog.testing
import trio

from presence_server.presence import PresenceStack
from presence_server.storage.errors import StorageUnavailable
from tests.presence.fakes import profile, record
from tests.presence.kit import open_stack, until
from tests.servers import (
    BREAKS_CONNECTIONS,
    PostgresServer,
    RedisServer,
    collected,
    start_postgres,
    start_redis,
    start_standby,
)

__all__ = ["collected"]

pytestmark = [pytest.mark.e2e, *BREAKS_CONNECTIONS]

FOUND_AGAIN_S = 3.0


class Address:
    """A port that leads new connections to ``target``, and keeps the old ones where they are."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._serve, [listener], task_status=task_status)  # type: ignore[arg-type]

    async def _serve(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", self.target)
        async with server, trio.open_nursery() as nursery:
            nursery.start_soon(self._copy, client, server)
            nursery.start_soon(self._copy, server, client)

    @staticmethod
    async def _copy(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
            await sink.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await sink.aclose()


async def address_of(port: int, nursery: trio.Nursery) -> Address:
    address = Address(port)
    await nursery.start(address.run)
    return address


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    server = start_postgres()
    yield server
    server.remove()


@pytest.fixture
def standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    server = start_standby(primary)
    yield server
    server.remove()


async def join(stack: PresenceStack, number: int) -> None:
    committed = trio.Event()
    stack.service.join(record(number), profile(number), committed.set)
    await committed.wait()


@pytest.mark.postgres
async def test_an_old_primary_that_turned_read_only_is_left_at_once(
    primary: PostgresServer, standby: PostgresServer, cleanup: trio.Nursery
) -> None:
    address = await address_of(primary.port, cleanup)
    stack = open_stack(f"postgresql://postgres@127.0.0.1:{address.port}/postgres")
    await cleanup.start(stack.run)
    await join(stack, 1)
    await stack.service.history("b")
    await until(lambda: rows_in(standby) == 1)
    address.target = standby.port
    standby.execute("SELECT pg_promote()")
    primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    primary.execute("SELECT pg_reload_conf()")
    await until(lambda: primary.execute("SHOW default_transaction_read_only")[0][0] == "on")
    for number in range(2, 12):
        stack.service.join(record(number), profile(number), lambda: None)
    with trio.fail_after(FOUND_AGAIN_S):
        await stack.service.flush()
    assert rows_in(standby) == 11
    assert stack.service.database_status == "ok"


@pytest.mark.postgres
async def test_an_idle_server_leaves_an_old_primary_that_turned_read_only(
    primary: PostgresServer, standby: PostgresServer, cleanup: trio.Nursery
) -> None:
    address = await address_of(primary.port, cleanup)
    stack = open_stack(f"postgresql://postgres@127.0.0.1:{address.port}/postgres")
    await cleanup.start(stack.run)
    await join(stack, 1)
    await until(lambda: rows_in(standby) == 1)
    await bridge_ping(stack)
    primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    primary.execute("SELECT pg_reload_conf()")
    await until(lambda: primary.execute("SHOW default_transaction_read_only")[0][0] == "on")
    with pytest.raises(StorageUnavailable, match="read-only"):
        await bridge_ping(stack)
    address.target = standby.port
    with pytest.raises(StorageUnavailable, match="read-only"):
        await bridge_ping(stack)  # A standby that is not promoted is no better.
    standby.execute("SELECT pg_promote()")
    await bridge_ping(stack)


async def bridge_ping(stack: PresenceStack) -> None:
    """Ask the store as the writer of an idle server does."""
    await stack.bridge.call(stack.repository.ping)


@pytest.mark.postgres
async def test_after_an_administrator_ended_every_connection_writes_go_on(
    primary: PostgresServer, cleanup: trio.Nursery
) -> None:
    stack = open_stack(primary.url())
    await cleanup.start(stack.run)
    await join(stack, 1)
    with structlog.testing.capture_logs() as logs:
        primary.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'presence-server'"
        )
        with trio.fail_after(FOUND_AGAIN_S):
            await join(stack, 2)
            await stack.service.flush()
    assert rows_in(primary) == 2
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


def rows_in(server: PostgresServer) -> int:
    (row,) = server.execute("SELECT count(*) FROM collab.presence")
    count: int = row[0]
    return count


@pytest.mark.redis
async def test_a_redis_that_became_a_replica_is_left_at_once(cleanup: trio.Nursery) -> None:
    old, new = start_redis(), start_redis()
    try:
        address = await address_of(old.port, cleanup)
        stack = open_stack(f"sqlite:///{old.folder}/p.db", f"redis://127.0.0.1:{address.port}/0")
        await cleanup.start(stack.run)
        stack.service.publish("b", b"[1]")
        await stack.service.flush()
        address.target = new.port
        old.command_line("REPLICAOF", "127.0.0.1", str(new.port))
        stack.service.publish("c", b"[2]")
        await until(lambda: has(new, "b", b"[1]") and has(new, "c", b"[2]"), FOUND_AGAIN_S)
    finally:
        old.remove()
        new.remove()


def has(server: RedisServer, board: str, users: bytes) -> bool:
    return users in server.command_line("GET", f"presence:{board}")
