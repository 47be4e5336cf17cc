"""What listening sockets hand on to the connections they accept."""

from __future__ import annotations

import socket

import pytest

from presence_server.server.listening import open_listeners
from presence_server.settings import Settings


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux only")
async def test_a_peer_that_shuts_its_window_is_ended_by_the_system() -> None:
    settings = Settings.of(
        {"server.port": 0, "limits.ping_interval_s": 3, "limits.ping_timeout_s": 4.5}
    )
    (listener,) = await open_listeners(settings)
    with listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            patience_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert patience_ms == 7500
