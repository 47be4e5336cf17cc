"""A client for bots, scripts and tests, on Trio or on asyncio.

    async with connect("127.0.0.1:8000", "demo", user_id="bot") as client:
        await client.update(status="online", cursor=(1, 2))
        async for event in client:
            print(event, len(client.users))

The caller's loop decides; the calls are the same. A block belongs to one task: the task that
enters it leaves it.

:mod:`.connecting` is the entry, :mod:`.client` keeps the session, :mod:`.websocket_link` is one
connection, :mod:`.replica` keeps the list of users, and :mod:`.retry` decides whether and when
to reconnect. They run on AnyIO; only the WebSocket below them differs (:mod:`.websocket`).
"""

from .client import PresenceClient
from .connecting import Profile, connect
from .events import ClientEvent, Disconnected
from .retry import PresenceClosed

__all__ = [
    "ClientEvent",
    "Disconnected",
    "PresenceClient",
    "PresenceClosed",
    "Profile",
    "connect",
]
