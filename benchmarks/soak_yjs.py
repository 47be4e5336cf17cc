"""Long runs of clients that speak Yjs: what takes minutes, or needs a thousand documents.

- Storms (:mod:`tests.yjs.storm`) with one seed after another.
- A provider that is alone for more than three minutes stays connected.
- Documents are opened, edited and emptied by the thousand: neither the server nor its helper grows.
- The server is killed again and again under a hundred editors: everything that it called stored is
  there.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import trio

from benchmarks.subject import Subject, resident_kib, running_server
from presence_server.core.yjs import wire
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from presence_server.server import ListeningAddress
from tests.core.yjs.updates import text, update
from tests.yjs.durable import assert_durable
from tests.yjs.raw import RawYjs
from tests.yjs.stock import Y_WEBSOCKET, node
from tests.yjs.stores import SqliteStore
from tests.yjs.storm import Storm

LONELY_S = 190.0
DOCUMENTS, AT_ONCE = 1000, 50
EDITORS, KILLS = 100, 20
GROWS_KIB = 2 * 1024
"""What an allocator may take for a second thousand of documents without a leak."""


def soak_yjs(seconds: float, seed: int) -> list[str]:
    """Run everything once, and storms until the time is over; returns what is wrong.

    Args:
        seconds: how long, at least.
        seed: of the first storm.
    """
    stop_at = time.monotonic() + seconds
    problems: list[str] = []
    for run in (_loneliness, _documents, _kills):
        print(f"{run.__name__.removeprefix('_')} ...", flush=True)
        _note(problems, run.__name__, trio.run, run)
    storms = 0
    while not problems and (not storms or time.monotonic() < stop_at):
        print(f"storm {seed + storms} ...", flush=True)
        _note(problems, f"storm {seed + storms}", trio.run, _storm, seed + storms)
        storms += 1
    return problems


def _note(problems: list[str], what: str, *call: object) -> None:
    run, *arguments = call
    try:
        run(*arguments)  # type: ignore[operator]
    except (AssertionError, ExceptionGroup, trio.TooSlowError) as error:
        problems.append(f"{what}: {error!r}")


async def _storm(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(f"{folder}/presence.db")
        async with node() as clients:
            await Storm(clients, store, seed, lives=4, turns=12).run()


async def _loneliness() -> None:
    """One provider of each version, each alone on its board, with nothing to say."""
    with running_server() as subject:
        async with node() as clients:
            url = f"ws://{subject.host}:{subject.port}"
            alone = [await clients.open(kind, url, f"alone-{kind}", kind) for kind in Y_WEBSOCKET]
            await trio.sleep(LONELY_S)
            for provider in alone:
                events = await provider.do("events")
                assert events == ["connected"], events


async def _documents() -> None:
    """Open, edit and empty documents: the second thousand takes no memory beside the first."""
    with running_server() as subject:
        sizes = []
        for number in range(3):
            await _visit(subject, f"round-{number}")
            await trio.sleep(5)
            sizes.append([resident_kib(pid) for pid in (subject.pid, *subject.children())])
            print("  KiB of the server and its helper:", *sizes[-1], flush=True)
        for before, after in zip(sizes[1], sizes[2], strict=True):
            assert after - before < GROWS_KIB, sizes


async def _visit(subject: Subject, name: str) -> None:
    address = ListeningAddress(subject.host, subject.port)
    limit = trio.CapacityLimiter(AT_ONCE)

    async def edit(board: str) -> None:
        async with limit, await RawYjs.open(address, board, {"user_id": "ada"}) as client:
            await client.send(wire.step_1(EMPTY_VECTOR))
            await client.heard(MessageKind.STEP_2)
            await client.send(wire.change(update((1, 0, [text("hello " * 100)]))))
            await client.heard(MessageKind.UPDATE)
            await client.leave()

    async with trio.open_nursery() as nursery:
        for number in range(DOCUMENTS):
            nursery.start_soon(edit, f"{name}-{number}")


async def _kills() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with node() as clients:
            url = f"sqlite:///{Path(folder)}/presence.db"
            await assert_durable(clients, url, editors=EDITORS, lives=KILLS)
