"""State vectors: how far the changes of each client have come."""

from __future__ import annotations

from .update import MAX_CLOCK, Shape
from .varint import DamagedBytes, read_uint, write_uint

EMPTY_VECTOR = b"\x00"
"""The state vector of a client that has nothing."""


class StateVector:
    """The clock that each client's changes have reached.

    Attributes:
        clocks: by client, the clock after its last struct.
    """

    __slots__ = ("clocks",)

    def __init__(self, clocks: dict[int, int] | None = None) -> None:
        self.clocks: dict[int, int] = {} if clocks is None else clocks

    @classmethod
    def read(cls, data: bytes) -> StateVector:
        """Read the form of the wire.

        Raises:
            DamagedBytes: the bytes are not exactly one state vector.
        """
        clocks: dict[int, int] = {}
        try:
            count, position = read_uint(data, 0)
            if count > len(data):
                raise DamagedBytes("a count is larger than what is left")
            for _ in range(count):
                client, position = read_uint(data, position)
                clock, position = read_uint(data, position)
                if clock > MAX_CLOCK:
                    raise DamagedBytes("a clock has more than 31 bits")
                clocks[client] = clock
        except IndexError:
            raise DamagedBytes("the state vector ends too early") from None
        if position != len(data):
            raise DamagedBytes("bytes follow the state vector")
        return cls(clocks)

    def encode(self) -> bytes:
        """The form of the wire."""
        parts = [write_uint(len(self.clocks))]
        for client, clock in self.clocks.items():
            parts.append(write_uint(client))
            parts.append(write_uint(clock))
        return b"".join(parts)

    def fits(self, shape: Shape) -> bool:
        """Whether an update follows on this: nothing that it needs is missing.

        Args:
            shape: of the update.
        """
        clocks = self.clocks
        for client, first, _ in shape.adds:
            if first > clocks.get(client, 0):
                return False
        for client, after in shape.needs.items():
            if after > clocks.get(client, 0):
                return False
        for client, after in shape.deletes.items():
            if after > clocks.get(client, 0) and not any(
                client == adds and after <= end for adds, _, end in shape.adds
            ):
                return False
        return True

    def add(self, shape: Shape) -> None:
        """Note that an update which fits was merged.

        Args:
            shape: of the update.
        """
        clocks = self.clocks
        for client, _, after in shape.adds:
            if after > clocks.get(client, 0):
                clocks[client] = after

    def raise_to(self, other: StateVector) -> None:
        """Note that everything in another vector was merged."""
        clocks = self.clocks
        for client, clock in other.clocks.items():
            if clock > clocks.get(client, 0):
                clocks[client] = clock

    def includes(self, other: StateVector) -> bool:
        """Whether nothing was added in another document that was not added in this one."""
        clocks = self.clocks
        return all(clock <= clocks.get(client, 0) for client, clock in other.clocks.items())

    def covers(self, shape: Shape) -> bool:
        """Whether an update adds nothing to this; it may still delete something.

        Args:
            shape: of the update.
        """
        clocks = self.clocks
        return all(after <= clocks.get(client, 0) for client, _, after in shape.adds)
