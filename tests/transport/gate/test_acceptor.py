"""Accepting: as fast as they come, and not when there is nothing to accept them with."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import cast

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.transport.gate import acceptor
from presence_server.transport.gate.acceptor import accept_forever


class Listener:
    """A listening socket whose descriptors can run out."""

    def __init__(self) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._sock.setblocking(False)
        self.address = self._sock.getsockname()
        self.error: OSError | None = None
        self.refused = trio.Event()

    def fileno(self) -> int:
        return self._sock.fileno()

    def accept(self) -> tuple[socket.socket, object]:
        if self.error is not None:
            self.refused.set()
            raise self.error
        return self._sock.accept()

    def close(self) -> None:
        self._sock.close()


async def test_out_of_descriptors_it_waits_and_goes_on_and_says_each_once() -> None:
    listener = Listener()
    send, receive = trio.open_memory_channel[str](10)

    def greet(sock: socket.socket, host: str) -> None:
        sock.close()
        send.send_nowait(host)

    listener.error = OSError(errno.EMFILE, "Too many open files")
    with structlog.testing.capture_logs() as logs, contextlib.closing(listener):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept_forever, cast("socket.socket", listener), greet)
            async with await trio.open_tcp_stream(*listener.address):
                for _ in range(3):
                    await listener.refused.wait()
                    listener.refused = trio.Event()
                listener.error = None
                assert await receive.receive() == "127.0.0.1"
            nursery.cancel_scope.cancel()
    assert [entry["event"] for entry in logs] == ["accepting paused", "accepting again"]


async def test_a_peer_that_was_gone_before_it_was_accepted_is_passed_over() -> None:
    listener = Listener()
    send, receive = trio.open_memory_channel[str](10)

    def greet(sock: socket.socket, host: str) -> None:
        sock.close()
        send.send_nowait(host)

    accept = listener.accept
    errors = [OSError(errno.ECONNABORTED, "gone")]

    def accept_once_in_vain() -> tuple[socket.socket, object]:
        if errors:
            raise errors.pop()
        return accept()

    listener.accept = accept_once_in_vain  # type: ignore[method-assign]
    with contextlib.closing(listener):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept_forever, cast("socket.socket", listener), greet)
            async with await trio.open_tcp_stream(*listener.address):
                assert await receive.receive() == "127.0.0.1"
            nursery.cancel_scope.cancel()


async def test_the_last_descriptors_are_not_for_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = Listener()
    send, receive = trio.open_memory_channel[socket.socket](10)
    looked = trio.Event()
    few_are_left = True

    def are_few_left(fd: int) -> bool:
        assert os.fstat(fd)
        looked.set()
        return few_are_left

    monkeypatch.setattr(acceptor, "is_among_the_last", lambda fd: few_are_left)
    monkeypatch.setattr(acceptor, "are_few_left", are_few_left)
    with structlog.testing.capture_logs() as logs, contextlib.closing(listener):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                accept_forever,
                cast("socket.socket", listener),
                lambda sock, _host: send.send_nowait(sock),
            )
            async with (
                await trio.open_tcp_stream(*listener.address),
                await trio.open_tcp_stream(*listener.address),
            ):
                # The one that was accepted is served; the other waits where it is.
                (await receive.receive()).close()
                for _ in range(3):
                    looked = trio.Event()
                    await looked.wait()
                with pytest.raises(trio.WouldBlock):
                    receive.receive_nowait()
                few_are_left = False
                (await receive.receive()).close()
            nursery.cancel_scope.cancel()
    assert [entry["event"] for entry in logs] == ["accepting paused", "accepting again"]


async def test_nothing_is_accepted_before_those_who_came_earlier_were_served() -> None:
    listener = Listener()
    send, receive = trio.open_memory_channel[socket.socket](10)
    asked, served = trio.Event(), trio.Event()

    async def until_served() -> None:
        asked.set()
        await served.wait()

    with contextlib.closing(listener):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                accept_forever,
                cast("socket.socket", listener),
                lambda sock, _host: send.send_nowait(sock),
                until_served,
            )
            async with await trio.open_tcp_stream(*listener.address):
                await asked.wait()
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.WouldBlock):
                    receive.receive_nowait()
                served.set()
                (await receive.receive()).close()
            nursery.cancel_scope.cancel()
