"""An asynchronous client for bots, scripts and tests, on Trio.

    async with connect("127.0.0.1:8000", "demo", user_id="bot") as client:
        await client.update(status="online", cursor=(1, 2))
        async for event in client:
            print(event, len(client.users))

:mod:`.replica` keeps the list of users, :mod:`.retry` decides whether and when to come
back, :mod:`.client` does it.
"""

from .client import PresenceClient, connect
from .events import ClientEvent, Disconnected
from .retry import PresenceClosed

__all__ = ["ClientEvent", "Disconnected", "PresenceClient", "PresenceClosed", "connect"]
