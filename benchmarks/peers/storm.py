"""Work 5: a crowd joins at once, each join durable, and comes back to its sessions."""

from __future__ import annotations

import time

from msgspec import Struct

from benchmarks.crowd import Crowd, Storm
from benchmarks.peers.process import Shares, Watch, running_presence_server


class Crowded(Struct, frozen=True):
    """The joins, and the returns after all connections were cut."""

    come: Storm
    returned: Storm
    shares: Shares


def measure(users: int, boards: int) -> Crowded:
    """Everybody comes, goes and comes back. This server only."""
    crowd_places = [(f"board-{number % boards}", f"user-{number}") for number in range(users)]
    with running_presence_server() as subject:
        watch = Watch(subject)
        crowd = Crowd(subject)
        come = crowd.join(crowd_places)
        sessions = crowd.sessions()
        crowd.close()
        time.sleep(2)  # The server is to have seen all of it.
        crowd = Crowd(subject)
        returned = crowd.join(crowd_places, sessions)
        crowd.close()
        shares = watch.shares()
    if returned.resumed != users:
        raise RuntimeError(f"{returned.resumed} of {users} got their session back")
    return Crowded(come, returned, shares)
