"""What the hostile tests share: bystanders who must notice nothing, and a look at a process."""

from __future__ import annotations

import re
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import trio

from presence_server.server import ListeningAddress
from tests.server.kit import PATIENCE_S
from tests.server.raw import ask, plain, talk
from tests.transport.frames import MASK
from tests.transport.gateway_kit import RawClient

BYSTANDERS = 50
ATTACKER = "127.0.0.2"
"""Where attacks by address come from: the limits count it apart from everybody else."""
MIB = 2**20


async def joined(
    address: ListeningAddress,
    user_id: str,
    board_id: str = "demo",
    *,
    receive_buffer: int | None = None,
) -> RawClient:
    """Somebody over a raw connection who has taken the snapshot."""
    client = await talk(address, receive_buffer=receive_buffer)
    await client.upgrade(f"/ws/boards/{board_id}?user_id={user_id}")
    await client.next_of("board:joined")
    return client


@asynccontextmanager
async def undisturbed(
    address: ListeningAddress, count: int = BYSTANDERS, *, mallory: bool = True
) -> AsyncIterator[list[RawClient]]:
    """Bystanders on the board "demo", who must have nothing to report in the end.

    ``mallory`` is there with one session of his own, so that further ones of his
    come and go without a word to anybody.
    """
    async with AsyncExitStack() as stack:
        with trio.fail_after(PATIENCE_S):
            people = [await joined(address, f"bystander-{number}") for number in range(count)]
            if mallory:
                # He hears the others' events and reads none of them; there must be few.
                own = await joined(address, "mallory")
                stack.push_async_callback(own.stream.aclose)
            for client in people:
                stack.push_async_callback(client.stream.aclose)
                await client.answers()
        yield people
        with trio.fail_after(PATIENCE_S):
            for client in people:
                assert await client.answers() == []
        assert (await ask(address, plain("GET /healthz HTTP/1.1"))).status == 200


async def metric(address: ListeningAddress, name: str) -> float:
    """A number of ``/metrics``."""
    text = (await ask(address, plain("GET /metrics HTTP/1.1"))).body.decode()
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def until_metric(address: ListeningAddress, name: str, value: float) -> None:
    """Wait until a number of ``/metrics`` is this."""
    with trio.fail_after(PATIENCE_S):
        while await metric(address, name) != value:  # noqa: ASYNC110 - it cannot call us
            await trio.sleep(0.02)


class Growth:
    """How much memory a process took at most since this was made."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        # The kernel's high-water mark starts again from what is resident now.
        (self._folder / "clear_refs").write_text("5")
        self._start = self._kib("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """By how many bytes the highest resident size was over that of the beginning."""
        return (self._kib("VmHWM") - self._start) * 1024

    def _kib(self, key: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == key:
                return int(value.split()[0])
        raise LookupError(key)


@contextmanager
def many_descriptors() -> Iterator[None]:
    """As many as this process may have; what it starts meanwhile inherits that."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def header(first: int, length: int, *, masked: bool = True) -> bytes:
    """A frame's header with any first byte and any length."""
    flag = 0x80 if masked else 0
    if length < 126:
        return bytes((first, flag | length))
    if length < 2**16:
        return bytes((first, flag | 126)) + length.to_bytes(2, "big")
    return bytes((first, flag | 127)) + length.to_bytes(8, "big")


def raw(first: int, data: bytes = b"") -> bytes:
    """A masked frame with any first byte."""
    return header(first, len(data)) + MASK + bytes(b ^ MASK[i % 4] for i, b in enumerate(data))
