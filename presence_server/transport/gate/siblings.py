"""The other processes of this server: requests for their boards go to them with their sockets.

A process connects to the socket of another one's slot. Whoever connects there is a process of this
server: only its user can enter the folder of these sockets.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Protocol

import structlog
import trio

from ...rooms.batch import Batch
from ..http.head import MAX_HEAD_BYTES
from ..http.refusal import RETRY_S, Refusal
from ..wire.pump import MAX_WAKE_S
from .acceptor import turn_away
from .board_path import board_of
from .first_message import after_upgrade
from .handover import MAX_PACKET, Assembler, BadPacket, HandedOver, Question
from .links import Link, Outgoing

log = structlog.get_logger(__name__)

ANSWER_S = 1.0
"""How long the other processes may take to answer a question."""
MAX_ANSWER_BYTES = 64_000_000
_DESCRIPTOR = struct.Struct("i")
_ANCILLARY_BYTES = socket.CMSG_LEN(_DESCRIPTOR.size)


class Directory(Protocol):
    """Tells whose board a board is."""

    def owner_of(self, board_id: str) -> int | None:
        """The slot that owns a board; None if it is this process's own."""


def busy() -> Refusal:
    """The process of the board takes no more requests now (503)."""
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "the process of this board does not take the request now",
        retry_after_s=RETRY_S,
    )


class Siblings:
    """Hands requests to the other processes, and takes over those that they hand to this one.

    Args:
        directory: tells whose board a board is.
        links: the socket of each other slot, by its number.
        max_message_bytes: the largest message that may travel with a socket.
        batch: opened around the requests of one wake, so that rooms flush once.
    """

    def __init__(
        self,
        directory: Directory,
        links: Mapping[int, Path],
        max_message_bytes: int,
        batch: Batch,
    ) -> None:
        self._directory = directory
        self._links = {slot: Link(slot, path) for slot, path in links.items()}
        self._max_bytes = 2 * MAX_HEAD_BYTES + max_message_bytes + MAX_PACKET
        self._batch = batch
        self.handed_over = 0
        """Requests that were sent to other processes."""
        self.on_taken: Callable[[socket.socket, HandedOver], None] = lambda sock, _: sock.close()
        """Called with each request that comes from another process; owns its socket."""
        self.on_asked: Callable[[str], bytes] = lambda _about: b""
        """Answers a question of another process."""

    def owner_of(self, head: bytes) -> int | None:
        """The slot of the process that serves a request; None if it is this one.

        Args:
            head: the request head.
        """
        board_id = board_of(head)
        return None if board_id is None else self._directory.owner_of(board_id)

    def owner_of_board(self, board_id: str) -> int | None:
        """The slot of the process that serves a board; None if it is this one.

        Args:
            board_id: the board.
        """
        return self._directory.owner_of(board_id)

    def has_room(self, slot: int) -> bool:
        """Whether a request may be handed to a slot now."""
        return self._links[slot].has_room

    def hand_over(self, slot: int, sock: socket.socket, handed: HandedOver) -> None:
        """Hand a request to another process; never waits or raises.

        If that process does not take it within seconds, the client gets a 503, or 1013 after its
        upgrade.

        Args:
            slot: of the other process.
            sock: the socket of the client; it is closed here once it was sent.
            handed: what was read from it.
        """
        self.handed_over += 1
        on_failed = _close if handed.is_upgraded else _refuse
        self._links[slot].send(Outgoing(sock, handed, on_failed))

    async def ask(self, about: str) -> dict[int, bytes | None]:
        """Ask every other process, for :data:`ANSWER_S` at most.

        Args:
            about: the question.

        Returns:
            The answers by slot; None for a process that does not answer.
        """
        answers: dict[int, bytes | None] = dict.fromkeys(self._links)

        async def one(slot: int) -> None:
            answers[slot] = await self._ask_one(slot, about)

        with trio.move_on_after(ANSWER_S):
            async with trio.open_nursery() as nursery:
                for slot in self._links:
                    nursery.start_soon(one, slot)
        return answers

    async def _ask_one(self, slot: int, about: str) -> bytes | None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
            self._links[slot].send(Outgoing(theirs, Question(about), _drop))
            data = bytearray()
            with suppress(trio.BrokenResourceError):
                async for piece in stream:
                    data += piece
                    if len(data) > MAX_ANSWER_BYTES:
                        return None
        return bytes(data) or None

    async def run(
        self,
        listener: socket.socket,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Send and take over until cancelled; then close the links.

        Args:
            listener: the socket of this process's slot, non-blocking; it stays open.
            task_status: started once the other processes are heard.
        """
        async with trio.open_nursery() as nursery:
            for link in self._links.values():
                nursery.start_soon(link.run)
            task_status.started()
            while True:
                await trio.lowlevel.wait_readable(listener)
                try:
                    sock, _ = listener.accept()
                except OSError as error:
                    if not isinstance(error, BlockingIOError):
                        await trio.sleep(ANSWER_S / 10)  # No descriptor is left for it now.
                    continue
                sock.setblocking(False)
                nursery.start_soon(self._serve, sock, nursery)

    async def _serve(self, link: socket.socket, nursery: trio.Nursery) -> None:
        """Take over what comes from one link, until its other end is closed."""
        incoming = _Incoming(link, Assembler(self._max_bytes))
        take = partial(self._take, nursery)
        try:
            with link:
                while not incoming.has_ended:
                    await trio.lowlevel.wait_readable(link)
                    with self._batch:
                        stop_at = perf_counter() + MAX_WAKE_S
                        while incoming.read(take) and perf_counter() < stop_at:
                            pass
        except BadPacket as error:
            log.error("a link to this process sent garbage and is closed", error=str(error))  # noqa: TRY400
        except OSError as error:
            log.debug("a link to this process broke", error=str(error))
        finally:
            incoming.close()

    def _take(
        self, nursery: trio.Nursery, sock: socket.socket, found: HandedOver | Question
    ) -> None:
        try:
            if isinstance(found, HandedOver):
                self.on_taken(sock, found)
            else:
                nursery.start_soon(_answer, sock, self.on_asked(found.about))
        except Exception:
            log.exception("a connection from another process failed")
            sock.close()


class _Incoming:
    """The packets of one link that others opened, and the socket of the request under way."""

    def __init__(self, link: socket.socket, assembler: Assembler) -> None:
        self._link = link
        self._assembler = assembler
        self._descriptor = -1
        self._buffer = memoryview(bytearray(MAX_PACKET))
        self.has_ended = False

    def read(self, take: Callable[[socket.socket, HandedOver | Question], None]) -> bool:
        """Read one packet; False if there is none now.

        Args:
            take: called with what is complete; owns the socket.

        Raises:
            BadPacket: the other end is not a process of this server.
            OSError: the link is broken.
        """
        try:
            size, ancillary, flags, _ = self._link.recvmsg_into(
                [self._buffer], _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        data = bytes(self._buffer[:size])
        if Assembler.begins_anew(data):
            self.close()
        for _, _, rights in ancillary:
            self.close()
            (self._descriptor,) = _DESCRIPTOR.unpack(rights)
        if not size and not ancillary:
            self.has_ended = True
            return False
        if flags & socket.MSG_TRUNC:
            raise BadPacket("the packet is too long")
        found = self._assembler.feed(data)
        if found is None:
            return True
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            # This process has no descriptor left for it: that client alone is lost.
            log.warning("a connection from another process came without its socket")
            return True
        family = found.family if isinstance(found, HandedOver) else socket.AF_UNIX
        sock = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
        sock.setblocking(False)
        take(sock, found)
        return True

    def close(self) -> None:
        """Close the socket of a request that was not complete."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _refuse(sock: socket.socket) -> None:
    turn_away(sock, busy())


def _close(sock: socket.socket) -> None:
    turn_away(sock, after_upgrade(busy()))


def _drop(sock: socket.socket) -> None:
    sock.close()


async def _answer(sock: socket.socket, answer: bytes) -> None:
    with sock, trio.move_on_after(ANSWER_S), suppress(trio.BrokenResourceError, OSError):
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        await stream.send_all(answer)
