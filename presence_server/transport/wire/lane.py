"""Sockets that are watched together, and served in the order in which they became ready."""

from __future__ import annotations

import select
from collections import deque

READABLE = getattr(select, "EPOLLIN", 1)
WRITABLE = getattr(select, "EPOLLOUT", 4)


class Lane:
    """Some of the sockets of the pump.

    A lane is itself a descriptor that becomes readable, so another lane can watch it.

    Attributes:
        ready: events that wait to be served: descriptors and epoll's bits. Each is a hint: the
            descriptor may belong to another socket by then.
    """

    __slots__ = ("_epoll", "ready")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.ready: deque[tuple[int, int]] = deque()

    def fileno(self) -> int:
        """The descriptor that is readable while sockets are ready."""
        return self._epoll.fileno()

    def watch(self, fd: int, interest: int) -> None:
        """Watch one more socket.

        Args:
            fd: its descriptor.
            interest: epoll's bits.

        Raises:
            OSError: the system watches no more sockets.
        """
        self._epoll.register(fd, interest)

    def modify(self, fd: int, interest: int) -> None:
        """Watch a socket for other events.

        Args:
            fd: its descriptor.
            interest: epoll's bits.
        """
        self._epoll.modify(fd, interest)

    def forget(self, fd: int) -> None:
        """Stop watching a socket.

        Args:
            fd: its descriptor.
        """
        self._epoll.unregister(fd)

    def poll(self, most: int) -> bool:
        """Ask which sockets are ready, and return whether any is. Each of them must be served.

        Args:
            most: how many are added to ``ready`` at most.
        """
        self.ready.extend(self._epoll.poll(0, most))
        return bool(self.ready)

    def close(self) -> None:
        """Stop watching."""
        self._epoll.close()
