"""RFC 6455 frames from a server: unmasked, so the same bytes serve every member."""

from __future__ import annotations


def text_frame(payload: bytes) -> bytes:
    """One whole text frame around UTF-8 JSON."""
    length = len(payload)
    if length < 126:
        return b"\x81%c%b" % (length, payload)
    if length < 65536:
        return b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (length.to_bytes(8, "big"), payload)
