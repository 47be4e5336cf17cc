"""A network with a round trip time, between a browser and a server on this machine."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 65_536


class SlowNetwork:
    """Carries connections to a server, each byte half a round trip later.

    A new connection takes a round trip, as TCP's handshake does; there is no TLS. Bandwidth has
    no bound.

    Args:
        host: of the server.
        port: of the server.
        round_trip_s: seconds from a request to the first byte of its answer.
    """

    def __init__(self, host: str, port: int, round_trip_s: float) -> None:
        self._target = (host, port)
        self._round_trip_s = round_trip_s
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.connections = 0
        """How many there were."""
        self.received = 0
        """Bytes that came from the server."""

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        )
        self._server = started.result()
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        async def end() -> None:
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.cut()
        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def reset(self) -> None:
        """End every connection, as if somebody came back another day, and count anew."""
        self.cut()
        self.connections = self.received = 0

    def cut(self) -> None:
        """End every connection."""

        async def close_all() -> None:
            for writer in self._writers:
                writer.close()

        asyncio.run_coroutine_threadsafe(close_all(), self._loop).result()

    async def _serve(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        self.connections += 1
        far, to_far = await asyncio.open_connection(*self._target)
        self._writers |= {to_near, to_far}
        half = self._round_trip_s / 2
        begun = self._loop.time()
        try:
            await asyncio.gather(
                self._carry(near, to_far, half, begun + self._round_trip_s),
                self._carry(far, to_near, half, begun, counts=True),
            )
        except asyncio.CancelledError:
            pass  # The network ends.
        finally:
            for writer in (to_near, to_far):
                self._writers.discard(writer)
                writer.close()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        delay_s: float,
        opened_at: float,
        *,
        counts: bool = False,
    ) -> None:
        """Write what comes, later; nothing starts its way before the connection is open."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                at, data = await waiting.get()
                await asyncio.sleep(max(0, at - self._loop.time()))
                if not data:
                    break
                sink.write(data)
            with suppress(OSError):
                sink.write_eof()

        delivery = asyncio.ensure_future(deliver())
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                self.received += len(data) if counts else 0
                waiting.put_nowait((max(self._loop.time(), opened_at) + delay_s, data))
        waiting.put_nowait((self._loop.time() + delay_s, b""))
        with suppress(OSError):
            await delivery
