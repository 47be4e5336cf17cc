"""A connection on a wire that a test holds both ends of."""

from __future__ import annotations

from presence_server.protocol.errors import CloseCode
from presence_server.rooms.batch import Batch
from presence_server.stalls import StallWatch
from presence_server.transport.gate.upgrade import accept
from presence_server.transport.http.head import parse_head
from presence_server.transport.sessions.handshake import Handshake
from presence_server.transport.wire.connection import Connection
from presence_server.transport.wire.deadlines import Deadlines
from presence_server.transport.wire.ports import Endpoint
from tests.limits import connection_limits
from tests.transport.frames import HEAD, Seen, read_frames


class FakeWire:
    """Takes what fits and remembers it."""

    def __init__(self) -> None:
        self.endpoint: Endpoint
        self.room: int | None = None
        """How many bytes fit before it is full; None: any number."""
        self.broken = False
        self.lets_go_at_once = True
        self.sent = bytearray()
        self.sends = 0
        self.wants_write = False
        self.wants_read = True
        self.shut = False
        self.aborted = False

    def send(self, data: bytes) -> int:
        if self.broken:
            raise BrokenPipeError
        count = len(data) if self.room is None else min(self.room, len(data))
        if not count:
            raise BlockingIOError
        assert not self.shut, "nothing may be sent behind a half-close"
        self.sends += 1
        self.sent += data[:count]
        if self.room is not None:
            self.room -= count
        return count

    def want_write(self) -> None:
        self.wants_write = True

    def want_read(self, wanted: bool) -> None:
        self.wants_read = wanted

    def shut_write(self) -> None:
        self.shut = True

    def abort(self) -> None:
        if not self.aborted:
            self.aborted = True
            if self.lets_go_at_once:
                self.endpoint.on_gone()

    def make_room(self, count: int | None) -> None:
        """The peer has read: this many bytes fit now."""
        self.room = count
        self.wants_write = False
        self.endpoint.on_writable()


class FakeHandler:
    """A session that only remembers; ``on_message`` may be replaced to react."""

    def __init__(self) -> None:
        self.heard: list[bytes | str] = []
        self.fragments = 0
        self.passed_over = 0
        self.connection: Connection
        self.close_on: bytes | None = None
        self.fail_on: bytes | None = None

    def on_text(self, data: bytes) -> None:
        self.heard.append(data)
        if data == self.close_on:
            self.connection.close(CloseCode.CLEAN_LEAVE)
        if data == self.fail_on:
            self.connection.fail(CloseCode.INVALID_UTF8)

    def on_binary(self, data: bytes) -> None:
        self.heard.append(b"binary " + data)

    def on_control(self) -> bool:
        self.heard.append("alive")
        return True

    def on_fragment(self) -> None:
        self.fragments += 1

    def on_binary_fragment(self) -> None:
        pass

    def on_passed_over(self, frames: int) -> None:
        self.passed_over += frames

    def on_end(self, code: int | None) -> None:
        self.heard.append(f"end {code}")

    def on_gone(self) -> None:
        self.heard.append("gone")

    def is_ended(self) -> bool:
        """Whether the session was told that the peer is gone."""
        return any(isinstance(word, str) and word.startswith("end") for word in self.heard)


class ConnectionUnderTest:
    """One connection with a fake on either side."""

    def __init__(
        self,
        deadlines: Deadlines | None = None,
        kind: type[Connection] = Connection,
        **limits: float,
    ) -> None:
        self.wire = FakeWire()
        self.handler = FakeHandler()
        self.deadlines = deadlines or Deadlines(Batch(lambda: None), StallWatch())
        bounds = connection_limits(**limits)
        handshake = Handshake("demo", parse_head(HEAD), {})
        upgrade = accept(handshake, bounds.max_message_bytes)
        self.connection = kind(upgrade.protocol, self.wire, self.handler, self.deadlines, bounds)
        self.wire.endpoint = self.handler.connection = self.connection

    def frames(self) -> list[Seen]:
        """What was sent since the last call."""
        data, self.wire.sent = bytes(self.wire.sent), bytearray()
        return read_frames(data)

    def last_close(self) -> int:
        """The code of the close frame, which is the last thing that was sent."""
        return self.frames()[-1].close.code
