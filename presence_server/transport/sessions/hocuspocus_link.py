"""The session of a client of Hocuspocus: one document, whose name is in front of each message."""

from __future__ import annotations

from typing_extensions import override

from ...core.events import Parting, ProfileChanged
from ...core.yjs import hocuspocus
from ...core.yjs.hocuspocus import HocuspocusKind
from ...core.yjs.varint import DamagedBytes
from ...protocol.budget import Verdict
from ...protocol.errors import RECONNECT, BadMessage, CloseCode, ErrorCode, Reconnect
from ...protocol.frames import binary_frame
from ...protocol.messages import BoardQueued, Error, ServerMessage
from .binary_messages import hear
from .yjs_link import YjsLink

_MOST_STATUS_BYTES = 262_144
"""So many bytes of confirmations are written at once; the others come with the next ones."""
_ONE_DOCUMENT = "one document a connection"


class HocuspocusLink(YjsLink):
    """Ties a connection of Hocuspocus to a session of a room."""

    __slots__ = ("_error", "_has_begun", "_is_waiting", "_unconfirmed", "prefix")

    confirms = True
    """It counts its changes until each of them is confirmed."""

    prefix: bytes
    _has_begun: bool
    """Whether the first message was heard; a token in it has been taken."""
    _is_waiting: bool
    """Whether it waits for a seat, and so may not change the document for now."""
    _unconfirmed: int
    """Messages whose changes are durable, and which it does not know of yet."""
    _error: str
    """The last error that it would have been sent as text."""

    @override
    def limit_binary(self, messages_per_s: float, burst: int) -> None:
        super().limit_binary(messages_per_s, burst)
        self._has_begun = self._is_waiting = False
        self._unconfirmed, self._error = 0, ""

    @override
    def bind(self, session_id: str) -> None:
        self._is_waiting = False
        self._tell_scope()
        super().bind(session_id)

    @override
    def close(self, code: int, reason: str = "") -> None:
        # Its library comes back after every code, so the page must hear that it should not.
        if RECONNECT.get(code) is Reconnect.NO and code != CloseCode.CLEAN_LEAVE:
            text = reason or self._error or f"closed with {code:d}"
            self._say(hocuspocus.permission_denied(text))
        super().close(code, reason)

    @override
    def deny(self, reason: str) -> None:
        pass  # It hears of each change that is not taken.

    @override
    def confirm(self, messages: int, *, is_taken: bool) -> None:
        frame = binary_frame(self.prefix + hocuspocus.status(is_taken=is_taken))
        if is_taken:
            self._unconfirmed += messages
            messages = min(self._unconfirmed, _MOST_STATUS_BYTES // len(frame))
            self._unconfirmed -= messages
        self.write(frame * messages)

    @override
    def tell_binary(self, message: ServerMessage) -> None:
        if isinstance(message, Error):
            self._error = message.payload.message
        elif isinstance(message, BoardQueued) and not self._is_waiting:
            self._is_waiting = True
            self._tell_scope()

    @override
    def refuse_binary(self, reason: str) -> None:
        if not self._over:
            self.confirm(1, is_taken=False)
        super().refuse_binary(reason)

    @override
    def _hear(self, data: bytes, now: float) -> bool:
        room, session_id = self._room, self._session_id
        if room is None or session_id is None or self._over:
            return False
        is_first, self._has_begun = not self._has_begun, True
        try:
            if not data.startswith(self.prefix):
                self._hear_other(data)
                return False
            kind, message = hocuspocus.read_kind(data, self.prefix)
            match kind:
                case HocuspocusKind.SYNC | HocuspocusKind.AWARENESS | HocuspocusKind.QUERY:
                    return hear(room, self.connection_id, session_id, message, now)
                case HocuspocusKind.AUTH:
                    token = hocuspocus.read_token(message[1:])
                    if not is_first:
                        self._renew(token, now)
                case HocuspocusKind.CLOSE:
                    self._part(Parting.LEFT)
                    self.close(CloseCode.CLEAN_LEAVE)
                case _:
                    self._is_alive()
        except DamagedBytes as error:
            self.refuse_binary(str(error))
        return False

    def _hear_other(self, data: bytes) -> None:
        """Take a ping, or deny a second document.

        Raises:
            DamagedBytes: it is neither.
        """
        self._is_alive()
        if data == hocuspocus.PING:
            self.write(binary_frame(hocuspocus.PONG))
        elif data != hocuspocus.PONG:
            address = hocuspocus.address_of(data)
            if address is None:
                raise DamagedBytes("the message has no address")
            if data[len(address)] == HocuspocusKind.AUTH:
                denied = address + hocuspocus.permission_denied(_ONE_DOCUMENT)
                self.write(binary_frame(denied))

    def _renew(self, token: str, now: float) -> None:
        """Take a newer token; an empty one changes nothing."""
        room, session_id = self._room, self._session_id
        assert room is not None
        assert session_id is not None
        verdict = self._budget.spend(now, len(token))  # As a text message would.
        if verdict is not Verdict.ACCEPT:
            self._refuse(verdict)
            return
        if token:
            try:
                _, change = self._permission.renew(token)
            except BadMessage as error:
                if error.code is not ErrorCode.INVALID_MESSAGE:  # There are tokens here.
                    self._say(hocuspocus.permission_denied(error.message))
                    return
            else:
                self.note_role()
                room.apply(ProfileChanged(self.connection_id, session_id, change))
        self._tell_scope()

    def _tell_scope(self) -> None:
        """Tell the client whether it may change the document."""
        may_edit = self.may_edit and not self._is_waiting
        self._say(hocuspocus.authenticated(may_edit=may_edit))

    def _say(self, message: bytes) -> None:
        self.write(binary_frame(self.prefix + message))
