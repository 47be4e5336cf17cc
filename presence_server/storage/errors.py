"""The errors of a store, divided by what the caller does about them."""

from __future__ import annotations

from ..protocol.errors import PresenceError


class StorageError(PresenceError):
    """The store cannot be used as configured.

    The text is one line that names the setting and the cure. Raised as it is, it means that
    somebody has to change something; the subclasses mean something else.
    """


class StorageUnavailable(StorageError):
    """The store does not answer, or refuses for now. The same call may work later."""

    may_pass = True


class StorageRefused(StorageError):
    """The store refuses this server for a reason outside the settings. It ends the start.

    A login that is refused may work once the password is set there, too; a folder that cannot be
    written may be mounted a moment later. The command line exits with 75.
    """

    may_pass = True


class StorageDataError(StorageError):
    """The store works and refuses these values. The same call will fail again."""


class OwnershipLost(StorageError):
    """Another server owns the store now, so that nothing of this one may be written."""
