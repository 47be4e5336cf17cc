"""Makes room events of the binary messages of a client that speaks Yjs."""

from __future__ import annotations

from ...core.document_events import AwarenessAsked, DocumentAsked, DocumentChanged
from ...core.events import Heard
from ...core.yjs.varint import DamagedBytes
from ...core.yjs.vector import StateVector
from ...core.yjs.wire import MessageKind, read_message
from ...rooms.room_task import RoomTask

_UPDATE = MessageKind.UPDATE  # Not looked up in the enum with every message.
_CHECKED_BYTES = 4096
"""A longer state vector is checked by the service of documents: this takes a while."""
_MAX_VECTOR_BYTES = 262_144
"""The longest state vector: about 40 000 clients of Yjs that changed one document."""


def hear(room: RoomTask, connection_id: int, session_id: str, data: bytes, now: float) -> bool:
    """Apply one message of y-protocols.

    Args:
        room: the room.
        connection_id: the connection that it came from.
        session_id: the session that the connection owns.
        data: the message.
        now: scheduling seconds.

    Returns:
        Whether the message is only what the client was sent: it costs nothing.

    Raises:
        DamagedBytes: it is not a message of y-protocols. An update or awareness in it may still
            be damaged: the room refuses that.
    """
    kind, payload = read_message(data)
    if kind is _UPDATE:
        room.change(connection_id, session_id, payload, now)
        return False
    match kind:
        case MessageKind.AWARENESS:
            return room.say(connection_id, session_id, payload, now)
        case MessageKind.STEP_1:
            if len(payload) > _MAX_VECTOR_BYTES:
                raise DamagedBytes(f"the state vector is longer than {_MAX_VECTOR_BYTES} bytes")
            if len(payload) <= _CHECKED_BYTES:
                StateVector.read(payload)
            room.apply(DocumentAsked(connection_id, session_id, payload))
        case MessageKind.STEP_2:
            room.apply(DocumentChanged(connection_id, session_id, payload, is_answer=True))
        case MessageKind.QUERY:
            room.apply(AwarenessAsked(connection_id, session_id))
        case _:
            room.apply(Heard(connection_id, session_id))
    return False
