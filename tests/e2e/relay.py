"""A network between a browser and a server that a test can cut."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """Passes bytes on to a server, at an address of its own, until it is cut."""

    def __init__(self, server_url: str) -> None:
        self._target = _target_of(server_url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._is_cut = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        # Closing alone does not wake the thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Break every connection, without a goodbye, and let none through."""
        with self._lock:
            self._is_cut = True
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    each.shutdown(socket.SHUT_RDWR)

    def restore(self, server_url: str | None = None) -> None:
        """Let connections through again, to another server if its address is given."""
        with self._lock:
            self._is_cut = False
            if server_url is not None:
                self._target = _target_of(server_url)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = self._connect()
            if far is None:
                near.close()
                continue
            with self._lock:
                if self._is_cut:  # meanwhile
                    near.close()
                    far.close()
                    continue
                self._sockets |= {near, far}
            threading.Thread(target=self._join, args=(near, far), daemon=True).start()

    def _connect(self) -> socket.socket | None:
        with self._lock:
            if self._is_cut:
                return None
            target = self._target
        try:
            far = socket.create_connection(target, timeout=10)
        except OSError:
            return None  # nobody is there; the browser is told by the end of its connection
        far.settimeout(None)
        return far

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
        back.start()
        _pass_on(near, far)
        back.join()
        with self._lock:
            self._sockets -= {near, far}
            near.close()
            far.close()


class _ReadingRelay(Relay):
    """A relay that reads the first line of a connection, and has the server answer one request."""

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        line = b""
        with contextlib.suppress(OSError):
            while not line.endswith(b"\r\n") and (byte := near.recv(1)):
                line += byte
            if (answer := self._answer(line)) is None:
                far.sendall(self._forwarded(line))
                if b"/ws/" not in line:
                    far.sendall(b"Connection: close\r\n")
            else:
                near.sendall(answer)
                far.shutdown(socket.SHUT_RDWR)
        super()._join(near, far)

    def _answer(self, line: bytes) -> bytes | None:
        """The relay's own answer to a request; None for one that the server answers."""
        raise NotImplementedError

    def _forwarded(self, line: bytes) -> bytes:
        """The request's first line, as the server gets it."""
        return line


class PrefixRelay(_ReadingRelay):
    """Serves a server below a path, as a proxy does that strips the path; all else is 404."""

    def __init__(self, server_url: str, prefix: str) -> None:
        super().__init__(server_url)
        self._prefix = prefix.encode()
        self.url += prefix

    def _answer(self, line: bytes) -> bytes | None:
        if b" " + self._prefix + b"/" in line:
            return None
        return b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"

    def _forwarded(self, line: bytes) -> bytes:
        return line.replace(self._prefix, b"", 1)


class PageRelay(_ReadingRelay):
    """Serves one page of its own at ``/embed``, and the rest of a server around it."""

    def __init__(self, server_url: str, page: str, *headers: str) -> None:
        super().__init__(server_url)
        head = ["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8", "Connection: close"]
        self._page = "\r\n".join([*head, *headers, "", page]).encode()
        self.page_url = f"{self.url}/embed"

    def _answer(self, line: bytes) -> bytes | None:
        return self._page if line.startswith(b"GET /embed ") else None


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _target_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
