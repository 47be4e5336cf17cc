"""A room task on fake peers and a fake store, under whatever clock the test has."""

from __future__ import annotations

from collections.abc import Callable

import trio
import trio.testing

from presence_server.core.events import Connect, Parted, Parting
from presence_server.protocol.frames import SharedFrame
from presence_server.protocol.messages import ServerMessage, decode_server
from presence_server.protocol.model import BoardLimits, PresenceRecord, Update
from presence_server.protocol.profile import UserProfile, clean_profile
from presence_server.rooms.registry import Registry
from presence_server.stalls import StallWatch
from tests.limits import board_limits

EPOCH_MS = 1_000_000_000_000


class FakeStore:
    """Remembers what it was asked. Commits by hand, so that a test decides when."""

    def __init__(self, *, commits_at_once: bool = True) -> None:
        self.commits_at_once = commits_at_once
        self.waiting: list[Callable[[], None]] = []
        self.calls: list[str] = []
        self.published: dict[str, bytes | None] = {}

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        self.calls.append(f"join {record.session_id}")
        self.waiting.append(on_committed)

    def commit(self) -> None:
        """The rows that wait are durable now."""
        waiting, self.waiting = self.waiting, []
        for on_committed in waiting:
            on_committed()

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        self.calls.append(f"heartbeat {session_id}")

    def update_status(self, record: PresenceRecord) -> None:
        self.calls.append(f"update {record.session_id}")

    def update_profile(
        self, board_id: str, session_id: str, profile: UserProfile, at_ms: int
    ) -> None:
        self.calls.append(f"profile {session_id} {profile.display_name}")

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        self.calls.append(f"disconnect {session_id}")

    def mark_queue(self, board_id: str, user_id: str, at_ms: int) -> None:
        self.calls.append(f"mark {user_id or 'the newest place'} {at_ms}")

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        self.published[board_id] = users_json


class FakeMetrics:
    """Counts flushes and joins."""

    def __init__(self) -> None:
        self.flushes: list[tuple[int, int]] = []
        self.joins: list[float] = []
        self.waits: list[float] = []

    def flush(self, deliveries: int, frames: int) -> None:
        self.flushes.append((deliveries, frames))

    def joined(self, seconds: float) -> None:
        self.joins.append(seconds)

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)


class FakePeer:
    """Reads the frames it is written back into events."""

    def __init__(self, connection_id: int) -> None:
        self._connection_id = connection_id
        self.session_id: str | None = None
        self.writes: list[bytes] = []
        self.closed: int | None = None
        self.breaks = False
        self.speaks_text = True
        self.prefix = b""
        self.is_behind = False
        self.shared: list[SharedFrame] = []
        """The shared frames that it was sent."""
        self.told: list[ServerMessage] = []
        """What it was told in place of text messages."""
        self.refused: list[str] = []
        self.confirmed: list[bool] = []

    def tell_binary(self, message: ServerMessage) -> None:
        self.told.append(message)

    def refuse_binary(self, reason: str) -> None:
        self.refused.append(reason)

    def deny(self, reason: str) -> None:
        self.refused.append(reason)

    def confirm(self, messages: int, *, is_taken: bool) -> None:
        self.confirmed += [is_taken] * messages

    @property
    def connection_id(self) -> int:
        return self._connection_id

    def bind(self, session_id: str) -> None:
        self.session_id = session_id

    def write_shared(self, frame: SharedFrame) -> None:
        self.shared.append(frame)
        self.write(bytes(frame))

    def write(self, data: bytes) -> None:
        if self.breaks:
            raise RuntimeError("a bug in the transport")
        assert self.closed is None, "nothing may follow a close"
        self.writes.append(data)

    def close(self, code: int, reason: str = "") -> None:
        self.closed = code

    def take(self) -> list[ServerMessage]:
        """The events since the last call."""
        data, self.writes = b"".join(self.writes), []
        events = []
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10], "big"), 10
            events.append(decode_server(data[start : start + length]))
            data = data[start + length :]
        return events

    def names(self) -> list[str]:
        """The types of the events since the last call."""
        return [str(event.__struct_config__.tag) for event in self.take()]


class FakeBoard:
    """A registry with one board of interest."""

    def __init__(
        self,
        limits: BoardLimits | None = None,
        *,
        commits_at_once: bool = True,
        stalls: StallWatch | None = None,
    ) -> None:
        self.store = FakeStore(commits_at_once=commits_at_once)
        self.metrics = FakeMetrics()
        self.registry = Registry(
            limits or board_limits(), self.store, self.metrics, lambda: EPOCH_MS, stalls
        )
        self._numbers = iter(range(1, 1_000_000))

    def connect(
        self,
        user_id: str,
        *,
        board: str = "b",
        resume: str | None = None,
        watches: bool = False,
    ) -> FakePeer:
        """A connection of a user asks for a session."""
        number = next(self._numbers)
        peer = FakePeer(number)
        event = Connect(number, f"s{number}", clean_profile(user_id), resume, watches=watches)
        self.registry.open(board).connect(peer, event)
        if self.store.commits_at_once:
            self.store.commit()
        return peer

    def part(self, peer: FakePeer, how: Parting, *, board: str = "b") -> None:
        """The connection of a peer ends."""
        assert peer.session_id is not None
        room = self.registry.get(board)
        assert room is not None
        room.apply(Parted(peer.connection_id, peer.session_id, how))
        room.forget(peer.connection_id)

    def update(self, peer: FakePeer, update: Update, *, board: str = "b") -> None:
        """A peer says something."""
        assert peer.session_id is not None
        room = self.registry.get(board)
        assert room is not None
        room.update(peer.connection_id, peer.session_id, update, trio.current_time())


async def settle() -> None:
    """Let every task that can run do so."""
    await trio.testing.wait_all_tasks_blocked()
