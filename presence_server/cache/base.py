"""The interface of every cache, and its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..protocol.errors import PresenceError


class CacheError(PresenceError):
    """The cache cannot be used as configured.

    The text is one line that names the setting and the cure.
    """


class CacheUnavailable(CacheError):
    """The cache does not answer, or refuses for now. The same call may work later."""

    may_pass = True


class CacheRefused(CacheError):
    """The cache refuses the password of the settings. It ends the start, and may pass."""

    may_pass = True


class Cache(Protocol):
    """The newest list of users of each board, as JSON.

    Expiry rule: a list lives for ``ttl_s`` seconds after ``set_many`` returns. Setting it again
    starts that time anew, deleting it ends it, reading it changes nothing.

    The methods are asyncio coroutines. They end by themselves within a few seconds, and raise
    :class:`CacheError` or :class:`CacheUnavailable`.
    """

    async def set_many(self, boards: Mapping[str, bytes]) -> None:
        """Store the lists of some boards."""
        ...

    async def delete_many(self, board_ids: Sequence[str]) -> None:
        """Forget some boards; unknown ones are left out."""
        ...

    async def get(self, board_id: str) -> bytes | None:
        """Return the list of a board; None when there is none or it has expired."""
        ...

    async def identity(self) -> str:
        """Check that the cache answers, and return a name of its memory.

        Another name than before means that the cache has lost its lists.
        """
        ...

    async def aclose(self) -> None:
        """Close connections. A later call opens new ones."""
        ...
