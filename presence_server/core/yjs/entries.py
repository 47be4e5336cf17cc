"""The payload of an awareness message: entries of a client id, a clock and a state."""

from __future__ import annotations

from msgspec import Struct

from .varint import DamagedBytes, read_bytes, read_uint, write_bytes, write_uint

NULL = b"null"
"""The state of a client that is not there."""
MAX_ENTRIES = 1000
"""So many entries of a message are read. A client has a few of its own; a longer message is what it
was sent about others, which it sends back, and which says nothing new."""


class Entry(Struct, frozen=True, gc=False):
    """One state in an awareness message.

    Attributes:
        client: the id of a client of Yjs.
        clock: the clock of the state.
        state: JSON.
    """

    client: int
    clock: int
    state: bytes


def read_entries(payload: bytes) -> list[Entry]:
    """Read the payload of an awareness message, up to :data:`MAX_ENTRIES` entries of it.

    Raises:
        DamagedBytes: what is read of it is not valid. The states are not looked at.
    """
    entries: list[Entry] = []
    try:
        count, position = read_uint(payload, 0)
        if count > len(payload):
            raise DamagedBytes("a count is larger than what is left")
        for _ in range(min(count, MAX_ENTRIES)):
            client, position = read_uint(payload, position)
            clock, position = read_uint(payload, position)
            state, position = read_bytes(payload, position)
            entries.append(Entry(client, clock, state))
    except IndexError:
        raise DamagedBytes("the awareness ends too early") from None
    if count <= MAX_ENTRIES and position != len(payload):
        raise DamagedBytes("bytes follow the awareness")
    return entries


def encode_entry(client: int, clock: int, state: bytes) -> bytes:
    """Write one entry of a payload."""
    return write_uint(client) + write_uint(clock) + write_bytes(state)


def encode_entries(entries: list[bytes]) -> bytes:
    """Make a payload of encoded entries."""
    return write_uint(len(entries)) + b"".join(entries)
