"""The form of a call of the store, which the service of presence makes for its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class StoreCall(Protocol):
    """Calls the store; ``PresenceService`` has it."""

    def __call__(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], *args: *Ts
    ) -> Awaitable[T]:
        """Return the result of one of the store's methods.

        Raises:
            StorageError: the store does not answer, or refuses.
        """
        ...
