"""The secrets that outlive a restart, such as the key that signs places in queues."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import NoReturn

import structlog
import trio

from .bounded_calls import BoundedCalls
from .ports import Store

CONFIRM_S = 30.0
"""How often the store is asked whether it still has the keys, in seconds."""
_CALL_S = 8.0

log = structlog.get_logger(__name__)


class ServerKeys:
    """Reads the keys of a store, and writes them again if the store loses them.

    Args:
        store: keeps them.
        calls: how it is called.
        now_ms: the wall clock, in milliseconds since the epoch.
    """

    def __init__(self, store: Store, calls: BoundedCalls, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._calls = calls
        self._now_ms = now_ms
        self._known: dict[str, bytes] = {}

    async def get(self, name: str, size: int) -> bytes:
        """Return the key of a name; if the store has none, make one.

        Args:
            name: of the key.
            size: the length of a new one, in bytes.

        Raises:
            StorageError: the store cannot be read or written.
        """
        fresh = secrets.token_bytes(size)
        key = await self._calls.call(
            _CALL_S, self._store.get_or_create_key, name, fresh, self._now_ms()
        )
        self._known[name] = key
        return key

    async def run(self) -> NoReturn:
        """Look for the keys again and again, until cancelled."""
        while True:
            await trio.sleep(CONFIRM_S)
            for name, key in self._known.items():
                try:
                    found = await self._calls.call(
                        _CALL_S, self._store.keep_key, name, key, self._now_ms()
                    )
                except Exception as error:
                    # The writer reports a store that does not answer.
                    log.debug("the keys cannot be looked for now", error=str(error))
                else:
                    if not found:
                        log.warning("a key was missing in the database", name=name)
