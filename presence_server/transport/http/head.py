"""The request head, read strictly: a request that is not plainly HTTP/1.1 or 1.0 is refused.

WebSockets and HTTP share a port, so this server must agree with every proxy in front of it
on the end of a request. Anything that two readers might read differently is an error
(RFC 9112 sections 2.2, 3.2, 5.1, 5.2, 6.1 and 6.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ...protocol.errors import PresenceError

MAX_HEAD_BYTES = 16384
MAX_HEADERS = 100
"""Thousands of short headers cost milliseconds each time, and browsers send twenty."""
_MAX_LENGTH_DIGITS = 18
"""With more digits two readers may overflow differently."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = bytes(range(0x21, 0x7F))
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)((?:[/?][\x21-\x7e]*)?)")
"""A target with a host, as a client of a proxy sends it (RFC 9112 section 3.2.2)."""
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
_HEADERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
"""Header lines. A folded line begins with white space and so has no token for a name."""
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(rf"(?:\[[0-9A-Fa-f:.]+\]|{_LABEL}(?:\.{_LABEL})*\.?)(?::\d{{1,5}})?")
"""A name or an address, and a port. The web application's router raises for some other texts."""


class BadRequest(PresenceError):
    """The bytes are not the head of a request that we serve; the text says why."""


class RequestHead(msgspec.Struct, frozen=True):
    """The head of one request.

    Attributes:
        method: such as GET.
        target: the path and the query.
        headers: names, in lower case, and values, in order.
        version: HTTP/1.1 or HTTP/1.0.
        is_changed: whether it differs from the bytes that came, so that others must read
            :meth:`encode` instead.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    version: str = "HTTP/1.1"
    is_changed: bool = False

    def get(self, name: str) -> str | None:
        """Return the first value of a header; None if there is none.

        Args:
            name: in lower case.
        """
        return next((value for key, value in self.headers if key == name), None)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a header.

        Args:
            name: in lower case.
        """
        return [value for key, value in self.headers if key == name]

    @property
    def upgrade(self) -> str | None:
        """The protocol that the client asks for, in lower case; None if it asks for none.

        HTTP/1.0 has no upgrades (RFC 9110 section 7.8).
        """
        if self.version != "HTTP/1.1":
            return None
        tokens = ",".join(self.get_all("connection")).lower().split(",")
        value = self.get("upgrade")
        if value is None or "upgrade" not in (token.strip() for token in tokens):
            return None
        return value.strip().lower()

    def encode(self) -> bytes:
        """The bytes of this head, with its empty line."""
        lines = [f"{self.method} {self.target} {self.version}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def may_become_head(data: bytes) -> bool:
    """Whether the first bytes of a connection can become a request that we serve.

    So a TLS hello or an HTTP/2 preface is refused at once.

    Args:
        data: the bytes so far.
    """
    line, found, _ = data.partition(b"\r\n")
    if found:
        return line.endswith(_VERSIONS)
    return not line or line[:1].isalpha()


class HeadReader:
    """Gathers the bytes of one request head."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes.

        Args:
            data: the bytes; none mean the end of the stream.

        Returns:
            The head with its empty line, and the bytes after it; None while it is incomplete.

        Raises:
            BadRequest: the bytes cannot become a head, end in the middle of it, or are too many.
            EOFError: the stream ended before its first byte.
        """
        if not data:
            if self._data:
                raise BadRequest("the request ends in the middle of its head")
            raise EOFError
        data = self._data + data
        if not may_become_head(data):
            raise BadRequest("not an HTTP/1.1 or HTTP/1.0 request")
        head, found, rest = data.partition(b"\r\n\r\n")
        if len(head) + len(found) > MAX_HEAD_BYTES:
            raise BadRequest(f"the request head is longer than {MAX_HEAD_BYTES} bytes")
        if found:
            return head + found, rest
        self._data = data
        return None


def parse_head(data: bytes) -> RequestHead:
    """Read a request head.

    Args:
        data: the head with its empty line.

    Raises:
        BadRequest: it is not HTTP/1.1 or 1.0, or two readers might read it differently.
    """
    first, _, lines = data.removesuffix(b"\r\n").partition(b"\r\n")
    if lines.count(b"\r\n") > MAX_HEADERS:
        raise BadRequest(f"the request has more than {MAX_HEADERS} headers")
    method, target, host, version = _request_line(first)
    headers = _headers(lines)
    hosts = [value for name, value in headers if name == "host"]
    if version == "HTTP/1.0" and not hosts:
        host = host or "localhost"  # It had no Host header yet.
        hosts = [host]
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0] if host is None else host):
        raise BadRequest("exactly one Host header is needed, with a name or an address")
    if host is not None:
        # The host of the target counts, whatever the header says.
        headers = [("host", host), *((name, value) for name, value in headers if name != "host")]
    head = RequestHead(method, target, headers, version, host is not None)
    lengths, encodings = head.get_all("content-length"), head.get_all("transfer-encoding")
    if len(lengths) > 1 or len(encodings) > 1 or (lengths and encodings):
        raise BadRequest("the length of the body is ambiguous")
    if lengths and not _is_length(lengths[0]):
        raise BadRequest("Content-Length is not a number")
    if encodings and version == "HTTP/1.0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding")
    if encodings and encodings[0].lower() != "chunked":
        raise BadRequest("Transfer-Encoding is not chunked")
    return head


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_LENGTH_DIGITS


def _request_line(line: bytes) -> tuple[str, str, str | None, str]:
    """Read method, target, the host in the target (None without one) and version."""
    parts = line.split(b" ")
    if len(parts) != 3 or parts[2] not in _VERSIONS:
        raise BadRequest("not an HTTP/1.1 or HTTP/1.0 request")
    method, target, version = parts
    host = None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        host = absolute[1].decode("latin-1")
        target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
    if not _TOKEN.fullmatch(method) or method == b"CONNECT":
        raise BadRequest("the method is not served")
    # An expression would take ten times as long for a long query.
    if not target.startswith(b"/") or target.translate(None, _VISIBLE):
        raise BadRequest("the target is not a path")
    return method.decode("ascii"), target.decode("ascii"), host, version.decode("ascii")


def _headers(lines: bytes) -> list[tuple[str, str]]:
    """Read header lines. Checking all of them at once takes a third of the time."""
    if not _HEADERS.fullmatch(lines):
        raise BadRequest("a header line is malformed")
    headers = []
    for line in lines.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip(" \t")))
    return headers
