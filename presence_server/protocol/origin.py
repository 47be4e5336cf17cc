"""Origins of pages, in the form in which two of them can be compared (RFC 6454)."""

from __future__ import annotations

import re

_DEFAULT_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*")
_HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*)(?::[0-9]{1,5})?")


def normal_origin(origin: str) -> str:
    """Write an origin as a browser does: in lower case, without the port that is the default.

    Args:
        origin: such as ``https://example.com``; any other text only changes its case.
    """
    scheme, separator, host = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is not None:
        host = host.removesuffix(port)
    return f"{scheme}{separator}{host}"


def checked_origin(text: str) -> str:
    """Read an origin of the settings.

    Args:
        text: an origin, ``*`` for every origin, or ``null`` for pages without one.

    Returns:
        The origin as a browser writes it.

    Raises:
        ValueError: no browser ever sends this; the text says why, and what to write.
    """
    if text in ("*", "null"):
        return text
    if not text.isascii():
        raise ValueError(
            f"{text!r} is not ASCII: write the host as browsers send it, such as xn--xyz.example"
        )
    scheme, _, host = text.lower().partition("://")
    if "*" in text:
        raise ValueError(f"{text!r} has a wildcard, which is not supported: name each origin")
    if not _SCHEME.fullmatch(scheme) or not _HOST.fullmatch(host):
        raise ValueError(f"{text!r} is not an origin such as https://example.com")
    port = host.rpartition("]")[2].partition(":")[2]
    if port and not 0 < int(port) <= 65535:
        raise ValueError(f"{text!r} has a port that does not exist")
    return normal_origin(text)
