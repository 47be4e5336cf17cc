"""Two servers on one store: one owns it, the other waits and takes over."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import structlog
import trio

from presence_server import server
from presence_server.server import ListeningAddress
from presence_server.settings import Settings
from tests.server.kit import PATIENCE_S, running_server, visiting
from tests.server.process import server_process
from tests.server.raw import ask, plain
from tests.servers import PostgresServer, postgres_server, postgres_url, start_postgres

__all__ = ["postgres_server", "postgres_url"]

pytestmark = pytest.mark.e2e

UPGRADE = plain(
    "GET /ws/boards/demo?user_id=ada HTTP/1.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/presence.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def status_of(address: ListeningAddress) -> str:
    return str(json.loads((await ask(address, plain("GET /readyz HTTP/1.1"))).body)["status"])


async def wait_until(address: ListeningAddress, status: str) -> None:
    """Ask again and again; a server that changes its state may cut one request short."""
    found = None
    with trio.fail_after(PATIENCE_S * 2):
        while found != status:
            await trio.sleep(0.05)
            with suppress(AssertionError, OSError, trio.BrokenResourceError):
                found = await status_of(address)


async def start(nursery: trio.Nursery, url: str, stop: trio.Event) -> ListeningAddress:
    settings = Settings.of({"server.port": 0, "database.url": url, "server.drain_timeout_s": 0.2})
    address: ListeningAddress = await nursery.start(partial(server.serve, settings, stop=stop))
    return address


async def test_the_second_server_waits_and_takes_over_with_the_sessions_of_the_first(
    store: str, nursery: trio.Nursery
) -> None:
    stop, never = trio.Event(), trio.Event()
    first = await start(nursery, store, stop)
    second = await start(nursery, store, never)
    async with visiting(first) as visitors:
        ada = await visitors.open(user_id="ada")
        session = str((await ada.next_of("board:joined"))["session_id"])
        # The second one says so, and does nothing.
        assert (await ask(second, plain("GET /healthz HTTP/1.1"))).status == 200
        ready = await ask(second, plain("GET /readyz HTTP/1.1"))
        assert ready.status == 503
        assert json.loads(ready.body) == {"status": "waiting", "database": "ok", "cache": "ok"}
        for request in (plain("GET / HTTP/1.1"), plain("GET /metrics HTTP/1.1"), UPGRADE):
            answer = await ask(second, request)
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
        assert await status_of(first) == "ready"
        stop.set()
        assert (await ada.close_code())[0] == 1012
    await wait_until(second, "ready")
    async with visiting(second) as visitors:
        back = await visitors.open(user_id="ada", session_id=session)
        assert (await back.next_of("board:joined"))["resumed"] is True


async def test_the_service_manager_and_the_log_learn_that_a_server_waits_and_then_serves(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    url = f"sqlite:///{tmp_path}/presence.db"
    stop = trio.Event()
    await start(nursery, url, stop)
    lines: list[str] = []
    settings = Settings.of({"server.port": 0, "database.url": url})
    with structlog.testing.capture_logs() as logs:
        second = await nursery.start(partial(server.serve, settings, on_status=lines.append))
        assert lines == ["waiting for the owner"]
        await trio.sleep(1.5)  # Long enough for several looks at the owner.
        stop.set()
        await wait_until(second, "ready")
    assert lines == ["waiting for the owner", f"Serving {second.url}"]
    events = [line["event"] for line in logs]
    assert events.count("waiting for the owner of the database") == 1


async def test_a_server_that_waits_stops_at_once(store: str, nursery: trio.Nursery) -> None:
    await start(nursery, store, trio.Event())
    stop = trio.Event()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as waiting:
            await start(waiting, store, stop)
            stop.set()


async def test_a_killed_owner_is_followed_at_once(store: str, nursery: trio.Nursery) -> None:
    async with server_process(database__url=store) as owner, visiting(owner.address) as visitors:
        ada = await visitors.open(user_id="ada")
        session = str((await ada.next_of("board:joined"))["session_id"])
        second = await start(nursery, store, trio.Event())
        assert await status_of(second) == "waiting"
        await owner.kill()
        # Sooner than the lease of the owner ends: it is known to be dead.
        with trio.fail_after(8):
            await wait_until(second, "ready")
    async with visiting(second) as visitors:
        back = await visitors.open(user_id="ada", session_id=session)
        assert (await back.next_of("board:joined"))["resumed"] is True


@pytest.mark.postgres
async def test_a_stopped_owner_loses_the_store_and_closes_its_members_when_it_wakes(
    postgres_url: str, nursery: trio.Nursery
) -> None:
    async with server_process(database__url=postgres_url, reads_log=False) as owner:
        async with visiting(owner.address) as visitors:
            ada = await visitors.join("ada")
            second = await start(nursery, postgres_url, trio.Event())
            await owner.signal(signal.SIGSTOP)
            await wait_until(second, "ready")
            await owner.signal(signal.SIGCONT)
            assert (await ada.close_code())[0] == 1012
        await wait_until(owner.address, "waiting")
        async with visiting(second) as visitors:
            await visitors.join("bob")


@pytest.mark.postgres
async def test_an_owner_whose_epoch_is_gone_writes_nothing_more(
    postgres_url: str, postgres_server: PostgresServer, nursery: trio.Nursery
) -> None:
    def sql(text: str) -> list[object]:
        return [tuple(row) for row in postgres_server.execute(text, postgres_url)]

    address = await start(nursery, postgres_url, trio.Event())
    async with visiting(address) as visitors:
        ada = await visitors.join("ada")
        sql(
            "UPDATE collab.store_owner SET owner_id = 'another', host = 'elsewhere',"
            " epoch = epoch + 1, lease_until = now() + interval '1 day'"
        )
        with trio.move_on_after(PATIENCE_S):
            await visitors.open("other-board", user_id="bob")
        assert (await ada.close_code())[0] == 1012
    await wait_until(address, "waiting")
    assert sql("SELECT user_id, disconnected_at FROM collab.presence") == [("ada", None)]
    sql("UPDATE collab.store_owner SET owner_id = NULL")
    await wait_until(address, "ready")


@pytest.mark.postgres
async def test_a_server_that_started_without_its_store_gives_way_to_the_owner_it_finds(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    own = start_postgres()
    try:
        url = own.new_database()
        # An owner that lives on while the database is down.
        await start(nursery, url, trio.Event())
        own.stop()
        second = await start(nursery, url, trio.Event())
        assert await status_of(second) == "degraded"
        async with visiting(second) as visitors:
            ada = await visitors.join("ada")
            await trio.to_thread.run_sync(own.start)
            assert (await ada.close_code())[0] == 1012
        await wait_until(second, "waiting")
        nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(own.remove)


async def test_two_links_to_one_sqlite_file_have_one_owner(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    await start(nursery, f"sqlite:///{folder}/presence.db", trio.Event())
    second = await start(nursery, f"sqlite:///{tmp_path}/link/presence.db", trio.Event())
    assert await status_of(second) == "waiting"


async def test_the_same_server_starts_again_on_its_own_store(tmp_path: Path) -> None:
    for _ in range(2):
        async with running_server(tmp_path) as address:
            assert await status_of(address) == "ready"


async def test_a_lock_file_that_is_deleted_is_made_again_and_the_owner_stays(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    url = f"sqlite:///{tmp_path}/presence.db"
    lock = tmp_path / "presence.db.lock"
    first = await start(nursery, url, trio.Event())
    async with visiting(first) as visitors:
        ada = await visitors.join("ada")
        lock.unlink()
        with trio.fail_after(PATIENCE_S):
            while not lock.exists():  # noqa: ASYNC110 - nobody tells the test
                await trio.sleep(0.05)
        second = await start(nursery, url, trio.Event())
        assert await status_of(second) == "waiting"
        assert await ada.silence() == []


async def test_an_owner_whose_lock_file_is_another_servers_closes_its_members_and_waits(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    lock = tmp_path / "presence.db.lock"
    first = await start(nursery, f"sqlite:///{tmp_path}/presence.db", trio.Event())
    async with visiting(first) as visitors:
        ada = await visitors.join("ada")
        new = os.open(tmp_path / "new", os.O_RDWR | os.O_CREAT)
        fcntl.flock(new, fcntl.LOCK_EX)
        (tmp_path / "new").rename(lock)
        assert (await ada.close_code())[0] == 1012
    await wait_until(first, "waiting")
    os.close(new)
    await wait_until(first, "ready")


async def test_a_server_of_several_processes_waits_for_the_owner_and_follows_it(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    url = f"sqlite:///{tmp_path}/presence.db"
    stop = trio.Event()
    first = await start(nursery, url, stop)
    async with visiting(first) as visitors:
        ada = await visitors.open(user_id="ada")
        session = str((await ada.next_of("board:joined"))["session_id"])
        event = "waiting for the owner of the database"
        async with server_process(until=event, server__processes=2, database__url=url) as second:
            assert await status_of(second.address) == "waiting"
            stop.set()
            assert (await ada.close_code())[0] == 1012
            await wait_until(second.address, "ready")
            async with visiting(second.address) as others:
                back = await others.open(user_id="ada", session_id=session)
                assert (await back.next_of("board:joined"))["resumed"] is True
                # It goes on owning the store when the lock file is deleted.
                lock = tmp_path / "presence.db.lock"
                lock.unlink()
                with trio.fail_after(PATIENCE_S):
                    while not lock.exists():  # noqa: ASYNC110 - nobody tells the test
                        await trio.sleep(0.05)
                third = await start(nursery, url, trio.Event())
                assert await status_of(third) == "waiting"
                assert await back.silence() == []
