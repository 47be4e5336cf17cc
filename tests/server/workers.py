"""The processes of a server that has several, and small fast clients for them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import trio
from websockets.frames import Opcode

from presence_server.server import ListeningAddress
from tests.server.process import ServerProcess
from tests.transport.frames import Seen, event, frame, upgrade_request
from tests.transport.gateway_kit import RawClient

PATIENCE_S = 60.0


def children_of(pid: int) -> list[int]:
    """The children of a process; none if it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def slots_of(server: ServerProcess) -> dict[int, int]:
    """The living workers of a server: process ids by slot, found by the locks that they hold."""
    found: dict[int, int] = {}
    for pid in children_of(server.pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                name = descriptor.readlink().name
                if name.startswith("slot-"):
                    found[int(name.removeprefix("slot-"))] = pid
    return found


def is_alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Refused(AssertionError):
    """The server answered an upgrade with something else than 101."""


class Cut(Exception):
    """The connection ended before the handshake was over."""


async def open_client(
    address: ListeningAddress,
    board: str,
    query: Mapping[str, str],
    tls: ssl.SSLContext | None = None,
) -> RawClient:
    """Connect and upgrade.

    Raises:
        Refused: the server refuses.
        Cut: its process ended meanwhile.
    """
    words = "&".join(f"{name}={value}" for name, value in query.items())
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
    stream = await trio.open_tcp_stream(address.host, address.port)
    if tls is not None:
        stream = trio.SSLStream(stream, tls, server_hostname=address.host, https_compatible=True)
    client = RawClient(stream)  # type: ignore[arg-type]
    try:
        await stream.send_all(upgrade_request(f"/ws/boards/{board}?{words}"))
        head = await client.read_until(b"\r\n\r\n")
    except BaseException as error:
        await trio.aclose_forcefully(stream)
        if isinstance(error, (AssertionError, trio.BrokenResourceError)):
            raise Cut from None
        raise
    if not head.startswith(b"HTTP/1.1 101 "):
        await trio.aclose_forcefully(stream)
        raise Refused(head)
    return client


async def next_event(client: RawClient) -> dict[str, object] | None:
    """The next event of a client; None when its connection has ended in any way."""
    while True:
        try:
            seen: Seen | None = await client.frame()
        except (AssertionError, trio.BrokenResourceError):
            return None
        if seen is None or seen.opcode is Opcode.CLOSE:
            return None
        if seen.opcode is Opcode.PING:
            with suppress(trio.BrokenResourceError):
                await client.send(frame(Opcode.PONG, seen.data))
            continue
        return seen.event


async def fetch(address: ListeningAddress, target: str, token: str | None = None) -> str:
    """The body of a page that is there."""
    stream = await trio.open_tcp_stream(address.host, address.port)
    async with stream:
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        await stream.send_all(f"GET {target} HTTP/1.1\r\nHost: test\r\n{bearer}\r\n".encode())
        data = b""
        with trio.fail_after(PATIENCE_S):
            while more := await stream.receive_some(65536):
                data += more
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), data
    return body.decode()


async def fetch_json(address: ListeningAddress, target: str, token: str | None = None) -> object:
    return json.loads(await fetch(address, target, token))


UPDATE = event("presence:update", cursor={"x": 1, "y": 2})
