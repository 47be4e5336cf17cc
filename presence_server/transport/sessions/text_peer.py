"""A peer of a room that understands text messages only: most are."""

from __future__ import annotations

from typing_extensions import override

from ...protocol.messages import ServerMessage
from ..wire.ports import Handler
from .token_expiry import TokenHolder


class TextPeer(Handler, TokenHolder):
    """What a room may ask of a peer about binary messages, for a client that gets none."""

    __slots__ = ()

    speaks_text = True
    """Whether it gets text messages."""
    confirms = False
    """Whether its client counts its changes until each of them is confirmed."""
    prefix = b""
    """The bytes in front of each binary message to it."""

    @property
    def is_behind(self) -> bool:
        """Whether parts of a document wait for the client."""
        return False

    @property
    def may_edit(self) -> bool:
        """Whether the client may change the Yjs document, if it had one."""
        return True

    @override
    def on_binary_fragment(self) -> None:
        pass  # It counts as any fragment.

    def note_role(self) -> None:
        """Do nothing: the client has no document to change."""

    def tell_binary(self, message: ServerMessage) -> None:
        """Do nothing: the client gets the text.

        Args:
            message: an event.
        """

    def deny(self, reason: str) -> None:
        """Do nothing: the client has no document to change.

        Args:
            reason: why it may not change it.
        """

    def confirm(self, messages: int, *, is_taken: bool) -> None:
        """Do nothing: the client does not count its changes.

        Args:
            messages: how many messages with changes this is about.
            is_taken: whether the changes are durable.
        """

    def refuse_binary(self, reason: str) -> None:
        """Do nothing: the client's binary messages never reach a room.

        Args:
            reason: what is wrong with a message.
        """
