"""One port for several processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from presence_server.server.listening import PortUnavailable
from presence_server.server.shared_port import open_shared_port
from presence_server.settings import Settings

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="needs SO_REUSEPORT")

CONNECTIONS = 200


@contextmanager
def port_of(
    processes: int, port: int = 0, host: str = "127.0.0.1"
) -> Iterator[list[list[socket.socket]]]:
    settings = Settings.of({"server.port": port, "server.host": host})
    opened = open_shared_port(settings, processes)
    try:
        yield opened
    finally:
        for sock in (sock for sockets in opened for sock in sockets):
            sock.close()


def accept_all(listener: socket.socket) -> list[socket.socket]:
    accepted = []
    while True:
        try:
            accepted.append(listener.accept()[0])
        except BlockingIOError:
            return accepted


def test_connections_are_spread_over_the_processes_and_none_is_lost() -> None:
    with port_of(3) as opened:
        (address,) = {sockets[0].getsockname() for sockets in opened}
        clients = [socket.create_connection(address) for _ in range(CONNECTIONS)]
        accepted = [accept_all(sockets[0]) for sockets in opened]
        assert sum(map(len, accepted)) == CONNECTIONS
        # By chance all of them would be under 20 once in 10^15 times.
        assert min(map(len, accepted)) > 20
        for sock in (*clients, *(sock for group in accepted for sock in group)):
            sock.close()


def test_a_port_that_another_server_shares_among_its_processes_is_in_use() -> None:
    with port_of(2) as opened:
        port = opened[0][0].getsockname()[1]
        with pytest.raises(PortUnavailable, match="cannot listen on"), port_of(2, port):
            pass


def test_every_address_is_opened_for_each_process() -> None:
    with port_of(2, host="127.0.0.1,127.0.0.2") as opened:
        first, second = ([sock.getsockname() for sock in sockets] for sockets in opened)
        assert first == second
        assert [host for host, _ in first] == ["127.0.0.1", "127.0.0.2"]
