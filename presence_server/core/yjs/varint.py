"""The numbers, texts and byte strings of lib0, of which every Yjs message is made.

A number has seven bits in a byte, the lowest first; a set eighth bit says that another byte
follows. JavaScript counts exactly up to 2 ** 53, so no number is larger.
"""

from __future__ import annotations

from ...protocol.errors import PresenceError

MAX_UINT = 2**53 - 1
"""The largest number."""
_MAX_SHIFT = 49
"""The last byte of a number of 53 bits begins at this bit."""


class DamagedBytes(PresenceError):
    """Bytes that are not a valid message, update or state vector of Yjs."""


def read_uint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number.

    Args:
        data: the bytes.
        position: where the number begins.

    Returns:
        The number, and where it ends.

    Raises:
        DamagedBytes: it is larger than :data:`MAX_UINT`.
        IndexError: the bytes end within it.
    """
    byte = data[position]
    position += 1
    if byte < 0x80:
        return byte, position
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > MAX_UINT:
                raise DamagedBytes("a number has more than 53 bits")
            return value, position
        shift += 7
        if shift > _MAX_SHIFT:
            raise DamagedBytes("a number has more than 53 bits")


def skip_int(data: bytes, position: int) -> int:
    """Skip a number that may be negative: its first byte has six bits of it and the sign.

    Args:
        data: the bytes.
        position: where the number begins.

    Returns:
        Where it ends.

    Raises:
        DamagedBytes: it has more than 53 bits.
        IndexError: the bytes end within it.
    """
    byte = data[position]
    value, shift = byte & 0x3F, 6
    while byte >= 0x80:
        if shift > _MAX_SHIFT:
            raise DamagedBytes("a number has more than 53 bits")
        position += 1
        byte = data[position]
        value |= (byte & 0x7F) << shift
        shift += 7
    if value > MAX_UINT:
        raise DamagedBytes("a number has more than 53 bits")
    return position + 1


def read_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """Read a byte string: its length, then the bytes.

    Args:
        data: the bytes.
        position: where its length begins.

    Returns:
        The byte string, and where it ends.

    Raises:
        DamagedBytes: the length is larger than what is left.
        IndexError: the bytes end within the length.
    """
    length, position = read_uint(data, position)
    end = position + length
    if end > len(data):
        raise DamagedBytes("a length is larger than what is left")
    return data[position:end], end


def read_text(data: bytes, position: int) -> tuple[str, int]:
    """Read a text in UTF-8, whose length is in bytes.

    Args:
        data: the bytes.
        position: where its length begins.

    Returns:
        The text, and where it ends.

    Raises:
        DamagedBytes: the length is larger than what is left, or the text is not UTF-8.
        IndexError: the bytes end within the length.
    """
    raw, position = read_bytes(data, position)
    try:
        return raw.decode(), position
    except UnicodeDecodeError:
        raise DamagedBytes("a text is not UTF-8") from None


def write_uint(value: int) -> bytes:
    """Write a number from 0 to :data:`MAX_UINT`."""
    if value < 0x80:
        return b"%c" % value
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_bytes(value: bytes) -> bytes:
    """Write a byte string with its length."""
    return write_uint(len(value)) + value


def write_text(value: str) -> bytes:
    """Write a text with its length in UTF-8."""
    return write_bytes(value.encode())
