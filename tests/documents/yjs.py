"""Updates of Yjs documents, made with pycrdt, and hostile bytes."""

from __future__ import annotations

from typing import Any

import pycrdt

CLAIMS_EVERYTHING = b"\xff\xff\xff\xff\x0f"
"""As an update or a state vector: 2^32 entries, of which Yrs reserves the memory."""
EMPTY_GARBAGE = b"\x01\x01\x01\x01\x00\x00\x00"
"""Yrs takes it, and panics in every later merge."""


class Editor:
    """A client with a document of its own, who types into it.

    Args:
        client: its number.
    """

    def __init__(self, client: int = 1) -> None:
        self.doc = pycrdt.Doc[Any](client_id=client)
        self.text = self.doc.get("text", type=pycrdt.Text)
        self.updates: list[bytes] = []
        self.doc.observe(self._changed)

    def _changed(self, event: pycrdt.TransactionEvent) -> None:
        self.updates.append(event.update)

    def type(self, text: str) -> bytes:
        """Type at the end; returns the update."""
        self.text += text
        return self.updates[-1]

    def delete(self, length: int) -> bytes:
        """Delete from the start; returns the update."""
        del self.text[0:length]
        return self.updates[-1]

    @property
    def state(self) -> bytes:
        """The whole document."""
        return self.doc.get_update()

    @property
    def vector(self) -> bytes:
        return self.doc.get_state()


def text_of(*updates: bytes) -> str:
    """The text of a document that was made of these updates."""
    doc = pycrdt.Doc[Any]()
    text = doc.get("text", type=pycrdt.Text)
    for update in updates:
        doc.apply_update(update)
    return str(text)


def deeply_nested(depth: int = 26_600) -> bytes:
    """An update with a value nested so deep that it overruns the stack of Yrs."""
    value = b"\x75\x01" * depth + b"\x7e"
    # One struct of client 1: content Any (8) of one value, in the type "text".
    return b"\x01\x01\x01\x00\x08\x01\x04text\x01" + value + b"\x00"
