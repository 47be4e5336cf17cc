"""Frames the parts of a Yjs document that clients lack, once for all who lack the same."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from itertools import repeat

from ..core.document_events import DocumentAnswer
from ..core.yjs.wire import change, change_head, step_2, step_2_head
from ..protocol.frames import SharedFrame, binary_frame, binary_header


class Answers:
    """Makes the frames of answers, and keeps them for as long as somebody keeps the answer."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: weakref.WeakKeyDictionary[DocumentAnswer, tuple[SharedFrame, ...]] = (
            weakref.WeakKeyDictionary()
        )

    def frames(self, answer: DocumentAnswer, prefix: bytes = b"") -> tuple[SharedFrame, ...]:
        """Return the frames of one answer: changes, and the last part as sync step 2.

        Args:
            answer: the answer.
            prefix: in front of each message to the client.
        """
        if prefix:
            *first, last = answer.parts
            heads = [change_head] * len(first) + [step_2_head]
            return tuple(map(_frame, answer.parts, heads, repeat(prefix)))
        frames = self._frames.get(answer)
        if frames is None:
            *first, last = answer.parts
            messages = [*map(change, first), step_2(last)]
            frames = tuple(SharedFrame((binary_frame(m),), is_free=True) for m in messages)
            self._frames[answer] = frames
        return frames


def change_frames(updates: Iterable[bytes], prefix: bytes) -> tuple[SharedFrame, ...]:
    """The frames of changes, in which the changes are not copied.

    Args:
        updates: the changes.
        prefix: in front of each message to the client.
    """
    return tuple(_frame(update, change_head, prefix) for update in updates)


def _frame(update: bytes, head: Callable[[int], bytes], prefix: bytes) -> SharedFrame:
    beginning = prefix + head(len(update))
    header = binary_header(len(beginning) + len(update))
    return SharedFrame((header + beginning, update), is_free=True)
