"""The place of one process among the processes of its server."""

from __future__ import annotations

import socket

from msgspec import Struct

from ..cluster.local import LocalDirectory, RuntimeFolder
from ..cluster.notes import SharedNotes


class Place(Struct, frozen=True):
    """The facts that a worker inherits from the supervisor.

    Attributes:
        directory: this process's slot, and who owns which board.
        folder: where the processes meet.
        links: the socket at which the others hand requests over; the supervisor keeps it open.
        notes: what the processes have told last of themselves.
        restarts: how often the slot's process died so far.
    """

    directory: LocalDirectory
    folder: RuntimeFolder
    links: socket.socket
    notes: SharedNotes
    restarts: int
