"""What every cache does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..protocol.errors import PresenceError


class CacheError(PresenceError):
    """The cache cannot be used as configured. One line that names the setting and the cure."""


class CacheUnavailable(CacheError):
    """The cache does not answer, or refuses for now. The same call may work later."""


class Cache(Protocol):
    """The newest list of users of each board, as JSON.

    Expiry rule: a list is there from the moment ``set_many`` returns until
    ``ttl_s`` later, unless it is set again (which starts the time anew) or
    deleted; from then on ``get`` answers None. Reading does not prolong it.

    The methods are asyncio coroutines, end by themselves within a few seconds,
    and raise :class:`CacheError` or :class:`CacheUnavailable`.
    """

    async def set_many(self, boards: Mapping[str, bytes]) -> None:
        """Store the lists of some boards."""
        ...

    async def delete_many(self, board_ids: Sequence[str]) -> None:
        """Forget some boards; one that is not there is no error."""
        ...

    async def get(self, board_id: str) -> bytes | None:
        """The list of a board, or None when there is none or it has expired."""
        ...

    async def identity(self) -> str:
        """Asks the cache whether it is there. Another answer than before: it lost what it held."""
        ...

    async def aclose(self) -> None:
        """Close connections. A later call opens new ones."""
        ...
