"""Builds Yjs updates by hand, as Yjs writes them, and wrong ones that Yjs would never write."""

from __future__ import annotations

from presence_server.core.yjs.varint import write_bytes, write_text, write_uint

LEFT, RIGHT, KEY = 0x80, 0x40, 0x20


def ref(client: int, clock: int) -> bytes:
    return write_uint(client) + write_uint(clock)


def garbage(length: int) -> bytes:
    return b"\x00" + write_uint(length)


def hole(length: int) -> bytes:
    """Clocks that are left out."""
    return b"\x0a" + write_uint(length)


def item(
    kind: int,
    content: bytes,
    *,
    left: tuple[int, int] | None = None,
    right: tuple[int, int] | None = None,
    parent: str | tuple[int, int] = "t",
    key: str | None = None,
) -> bytes:
    info = kind | (LEFT if left else 0) | (RIGHT if right else 0) | (0 if key is None else KEY)
    out = bytes([info])
    out += ref(*left) if left else b""
    out += ref(*right) if right else b""
    if not left and not right:
        is_name = isinstance(parent, str)
        out += b"\x01" + write_text(parent) if is_name else b"\x00" + ref(*parent)  # type: ignore[arg-type]
        out += b"" if key is None else write_text(key)
    return out + content


def text(value: str, **where: object) -> bytes:
    return item(4, write_text(value), **where)  # type: ignore[arg-type]


def any_item(*values: bytes, **where: object) -> bytes:
    return item(8, write_uint(len(values)) + b"".join(values), **where)  # type: ignore[arg-type]


def json_item(kind: int, value: str, **where: object) -> bytes:
    return item(kind, write_text(value), **where)  # type: ignore[arg-type]


def blob(value: bytes, **where: object) -> bytes:
    return item(3, write_bytes(value), **where)  # type: ignore[arg-type]


def update(
    *runs: tuple[int, int, list[bytes]], deletes: tuple[tuple[int, list[tuple[int, int]]], ...] = ()
) -> bytes:
    """Make an update.

    Args:
        runs: a client, its first clock, and its structs.
        deletes: a client and its ranges, each a clock and a length.
    """
    out = write_uint(len(runs))
    for client, clock, structs in runs:
        out += write_uint(len(structs)) + ref(client, clock) + b"".join(structs)
    out += write_uint(len(deletes))
    for client, ranges in deletes:
        out += write_uint(client) + write_uint(len(ranges))
        out += b"".join(ref(clock, length) for clock, length in ranges)
    return out
