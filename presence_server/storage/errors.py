"""What can go wrong with a store, told apart by what the caller does about it."""

from __future__ import annotations

from ..protocol.errors import PresenceError


class StorageError(PresenceError):
    """The store cannot be used as configured. One line that names the setting and the cure.

    Raised as it is, somebody has to change something; the subclasses say otherwise.
    """


class StorageUnavailable(StorageError):
    """The store does not answer, or refuses for now. The same call may work later."""


class StorageDataError(StorageError):
    """The store is well and refuses these values. The same call fails again."""
