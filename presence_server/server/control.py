"""The channel between the supervisor and each of its children: reports go up, orders go down.

A channel is a pair of sockets that keep messages apart. When the supervisor is dead, its children
read the end of the channel and end, too.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
import trio

_MAX_MESSAGE = 65_536


class Report(msgspec.Struct, tag_field="report", tag=str.lower, frozen=True):
    """A message of a child."""


class Alive(Report, frozen=True):
    """The event loop of the child runs."""


class Waiting(Report, frozen=True):
    """The keeper waits: another server owns the store."""


class Prepared(Report, frozen=True):
    """The keeper has prepared the store, and no longer answers at the port."""


class Owns(Report, frozen=True):
    """The keeper owns the store.

    Attributes:
        epoch: of its claim; 0 with SQLite, which has none.
    """

    epoch: int


class Lost(Report, frozen=True):
    """Another server owns the store that this one owned."""


class Serving(Report, frozen=True):
    """The worker serves its boards."""


class Failed(Report, frozen=True):
    """The child cannot start.

    Attributes:
        problems: one line each, for the operator.
        may_pass: whether the same attempt may succeed later.
    """

    problems: tuple[str, ...]
    may_pass: bool


AnyReport = Alive | Waiting | Prepared | Owns | Lost | Serving | Failed

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyReport] = msgspec.json.Decoder(AnyReport)


class Order(enum.Enum):
    """A message of the supervisor."""

    DRAIN = b"drain"
    """Close the connections with a time to come back, write what is left, and end."""
    GIVE_UP = b"give up"
    """Another server owns the store: close the connections, write nothing, and end."""
    END = b"end"
    """End at once, with the last writes to a store that answers."""


def open_channel() -> tuple[socket.socket, socket.socket]:
    """Open a channel: the supervisor's end, and the child's."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


def read_reports(end: socket.socket) -> Iterator[AnyReport]:
    """Give the reports that have come; nothing waits.

    Args:
        end: the supervisor's.
    """
    with suppress(OSError):
        while data := end.recv(_MAX_MESSAGE):
            yield _decoder.decode(data)


def send_order(end: socket.socket, order: Order) -> None:
    """Send an order. A child that is dead, or too busy to read, does not get it.

    Args:
        end: the supervisor's.
        order: what the child has to do.
    """
    with suppress(OSError):
        end.send(order.value)


class Channel:
    """The child's end.

    Args:
        end: the socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def report(self, report: AnyReport) -> None:
        """Send a report. It is lost if the supervisor has not read for a long time."""
        with suppress(OSError):
            self._end.send(_encoder.encode(report))

    async def show_life(self, interval_s: float) -> None:
        """Report at intervals that the event loop runs, until cancelled."""
        while True:
            self.report(Alive())
            await trio.sleep(interval_s)

    async def obey(self, on_order: Callable[[Order], None]) -> None:
        """Call a function with each order; returns when the supervisor is dead.

        Args:
            on_order: gets the orders.
        """
        while True:
            await trio.lowlevel.wait_readable(self._end)
            try:
                data = self._end.recv(_MAX_MESSAGE)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not data:
                return
            on_order(Order(data))
