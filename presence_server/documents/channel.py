"""The messages between the server and its helper process, and their bytes.

A frame is a length in four bytes, big-endian, and a message in MessagePack. The helper says
:class:`Ready` once, and then answers each request, one at a time and in order.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..core.document_events import MergeOutcome
from ..protocol.errors import PresenceError

MAX_FRAME_BYTES = 2**30
"""A longer frame is an error of the other side."""

_LENGTH_BYTES = 4


class ChannelError(PresenceError):
    """The other side sent bytes that are no message."""


class Load(Struct, frozen=True, tag=True):
    """Make a document of what is stored, in place of one that has the same number.

    Answered by :class:`Loaded`.

    Attributes:
        document: its number.
        snapshot: the whole document up to some time, which the helper encoded and read back.
        updates: what was changed after it.
    """

    document: int
    snapshot: bytes | None
    updates: list[bytes]


class LoadMore(Struct, frozen=True, tag=True):
    """Go on with :class:`Load`. Answered by :class:`Loaded`.

    Attributes:
        document: its number.
        updates: what was changed after the updates that are loaded.
    """

    document: int
    updates: list[bytes]


class Merge(Struct, frozen=True, tag=True):
    """Merge updates into a document, one after another. Answered by :class:`Merged`.

    Yrs needs milliseconds for each update of some large documents, so the helper may stop early.

    Attributes:
        document: its number.
        updates: the updates.
        wants_changes: whether the answer has what each update changed. Such updates were not
            relayed as they are, so the part that follows on the document is taken of them.
    """

    document: int
    updates: list[bytes]
    wants_changes: bool


class Diff(Struct, frozen=True, tag=True):
    """Compute what a client lacks. Answered by :class:`Parts`."""

    document: int
    vector: bytes


class Encode(Struct, frozen=True, tag=True):
    """Encode a document as one update that was read back. Answered by :class:`Encoded`."""

    document: int


class Forget(Struct, frozen=True, tag=True):
    """Let a document go. Answered by :class:`Done`."""

    document: int


Request = Load | LoadMore | Merge | Diff | Encode | Forget


class Ready(Struct, frozen=True, tag=True):
    """The helper has started and waits for requests."""


class Loaded(Struct, frozen=True, tag=True):
    """A document is there.

    Attributes:
        vector: its state vector.
        size: its length as one update, in bytes.
        is_whole: whether everything that is stored could be merged. If not, the rows stay.
        taken: how many updates of the request were loaded; for the rest there was no time.
    """

    vector: bytes
    size: int
    is_whole: bool
    taken: int


class MergeResult(Struct, frozen=True):
    """The outcome of one update.

    Attributes:
        outcome: whether it is merged.
        change: what it changed, as an update; None if that is nothing, or was not asked for.
        parts: the change as several updates to be merged in this order, if it is large.
        error: why it is damaged, for the log.
    """

    outcome: MergeOutcome
    change: bytes | None = None
    parts: list[bytes] = []
    error: str = ""


class Merged(Struct, frozen=True, tag=True):
    """The outcomes of updates, and the document after them.

    Attributes:
        results: the outcome of each; at least one. For the updates without one there was no time.
        raised: how far the changes of the clients have come that were merged, as a state vector.
            The whole one may be long, and would be read with each change.
        size: the document's length as one update in bytes, or more.
    """

    results: list[MergeResult]
    raised: bytes
    size: int


class Parts(Struct, frozen=True, tag=True):
    """The changes that a client lacks, as updates to be merged in this order."""

    parts: list[bytes]


class Encoded(Struct, frozen=True, tag=True):
    """The document as one update.

    Attributes:
        update: the document.
        is_exact: whether it was read back and is all that was stored. If not, the rows stay.
    """

    update: bytes
    is_exact: bool


class Done(Struct, frozen=True, tag=True):
    """The request is done."""


class Failed(Struct, frozen=True, tag=True):
    """The request was refused, and the helper goes on."""

    error: str


class Ending(Struct, frozen=True, tag=True):
    """The helper ends because of this request: a panic, or no memory."""

    error: str


Reply = Ready | Loaded | Merged | Parts | Encoded | Done | Failed | Ending

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def to_frame(message: Request | Reply) -> bytes:
    """Make a frame of a message."""
    payload = _encoder.encode(message)
    return len(payload).to_bytes(_LENGTH_BYTES) + payload


def read_request(payload: bytes) -> Request:
    """Read the message of a frame that the server sent.

    Raises:
        ChannelError: it is no request.
    """
    try:
        return _requests.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ChannelError(f"no request: {error}") from error


def read_reply(payload: bytes) -> Reply:
    """Read the message of a frame that the helper sent.

    Raises:
        ChannelError: it is no reply.
    """
    try:
        return _replies.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ChannelError(f"no reply: {error}") from error


class FrameReader:
    """Puts frames together from bytes that arrive in pieces of any size."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether no frame has begun."""
        return not self._data

    def feed(self, data: bytes | bytearray) -> None:
        """Note bytes that arrived."""
        self._data += data

    def next_payload(self) -> bytes | None:
        """Take the payload of the next frame; None while it is not complete.

        Raises:
            ChannelError: the frame is longer than :data:`MAX_FRAME_BYTES`.
        """
        if len(self._data) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._data[:_LENGTH_BYTES])
        if length > MAX_FRAME_BYTES:
            raise ChannelError(f"a frame of {length} bytes")
        end = _LENGTH_BYTES + length
        if len(self._data) < end:
            return None
        payload = bytes(memoryview(self._data)[_LENGTH_BYTES:end])
        del self._data[:end]
        return payload
