"""Which sockets a server listens on, and what they hand on to the connections they accept."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from presence_server.server.listening import (
    SEND_BUFFER_BYTES,
    PortUnavailable,
    address_of,
    bind_sockets,
    open_listeners,
)
from presence_server.settings import Settings, SettingsError
from tests.servers import free_port


def settings_of(host: object, port: int = 0) -> Settings:
    return Settings.of({"server.host": host, "server.port": port, "auth.allow_anonymous": True})


@contextmanager
def closing(sockets: Sequence[socket.socket]) -> Iterator[list[tuple[str, int]]]:
    """The addresses of these sockets, which are closed afterwards."""
    try:
        yield [sock.getsockname()[:2] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


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
            timeout_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == 7500


@pytest.mark.parametrize("host", ["::", "[::]"])
async def test_all_addresses_are_those_of_both_families(host: str) -> None:
    with closing(await open_listeners(settings_of(host))) as found:
        port = found[0][1]
        assert found == [("::", port), ("0.0.0.0", port)]
        for family_address in ("127.0.0.1", "::1"):
            socket.create_connection((family_address, port)).close()


async def test_a_list_of_addresses_listens_on_each_with_one_port() -> None:
    with closing(await open_listeners(settings_of(["127.0.0.1", "127.0.0.2", "::1"]))) as found:
        port = found[0][1]
        assert port > 0
        assert found == [("127.0.0.1", port), ("127.0.0.2", port), ("::1", port)]


async def test_an_address_that_is_named_twice_is_opened_once() -> None:
    with closing(await open_listeners(settings_of("::,0.0.0.0,::"))) as found:
        port = found[0][1]
        assert found == [("::", port), ("0.0.0.0", port)]


async def test_a_free_port_is_one_that_is_free_at_each_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused: list[int] = []

    class InUseTwice(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET and len(refused) < 2:
                refused.append(address[1])
                raise OSError(errno.EADDRINUSE, "Address already in use")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", InUseTwice)
    with closing(await open_listeners(settings_of("::"))) as found:
        assert [host for host, _ in found] == ["::", "0.0.0.0"]
        assert found[0][1] == found[1][1]
    assert len(refused) == 2


async def test_a_port_that_another_process_listens_on_first_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SecondToListen(socket.socket):
        def listen(self, backlog: int = 0) -> None:
            raise OSError(errno.EADDRINUSE, "Address already in use")

    # The system lets both bind, since neither listens yet.
    monkeypatch.setattr(socket, "socket", SecondToListen)
    with pytest.raises(PortUnavailable, match=r"cannot listen on 127\.0\.0\.1 port"):
        await open_listeners(settings_of("127.0.0.1", free_port()))


async def test_one_bad_address_of_a_list_closes_the_others() -> None:
    port = free_port()
    with pytest.raises(PortUnavailable, match=r"cannot listen on 192\.0\.2\.1 port"):
        await open_listeners(settings_of(["127.0.0.1", "192.0.2.1"], port))
    with closing(await open_listeners(settings_of("127.0.0.1", port))):
        pass


async def test_a_check_of_the_addresses_neither_needs_nor_takes_the_port_of_a_server() -> None:
    port = free_port()
    checked = await bind_sockets(settings_of("127.0.0.1", port))
    with (
        closing(checked),
        closing(await open_listeners(settings_of("127.0.0.1", port))),
        pytest.raises(PortUnavailable),
    ):
        await bind_sockets(settings_of("127.0.0.1", port))


async def test_a_name_that_means_no_address_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"^server\.host"):
        await bind_sockets(settings_of("no name"))


async def test_the_first_address_is_the_one_that_is_shown() -> None:
    with closing(listeners := await open_listeners(settings_of(["::1", "127.0.0.1"]))) as found:
        assert address_of(listeners[0], None).url == f"http://[::1]:{found[0][1]}"


async def test_a_machine_without_ipv6_listens_on_all_addresses_of_ipv4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ipv4Only(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Ipv4Only)
    with closing(await open_listeners(settings_of("::"))) as found:
        assert [host for host, _ in found] == ["0.0.0.0"]


async def test_the_system_holds_a_bounded_number_of_bytes_for_a_peer_that_does_not_read() -> None:
    (listener,) = await open_listeners(Settings.of({"server.port": 0}))
    with listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            held = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    # The system's own first value is smaller, but grows with the connection.
    assert SEND_BUFFER_BYTES <= held <= 2 * SEND_BUFFER_BYTES
