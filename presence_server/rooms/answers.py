"""What clients lack of a Yjs document, framed once for all who lack the same."""

from __future__ import annotations

import weakref

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
        """The frames of one answer: changes, and the last part as sync step 2.

        Args:
            answer: the answer.
            prefix: in front of each message to the client.
        """
        if prefix:
            return _prefixed(answer, prefix)
        frames = self._frames.get(answer)
        if frames is None:
            *first, last = answer.parts
            messages = [*map(change, first), step_2(last)]
            frames = tuple(SharedFrame((binary_frame(m),), is_free=True) for m in messages)
            self._frames[answer] = frames
        return frames


def _prefixed(answer: DocumentAnswer, prefix: bytes) -> tuple[SharedFrame, ...]:
    """The frames of one answer for a client with a prefix; they share the parts."""
    last = len(answer.parts) - 1
    frames = []
    for number, part in enumerate(answer.parts):
        head = step_2_head if number == last else change_head
        beginning = prefix + head(len(part))
        header = binary_header(len(beginning) + len(part))
        frames.append(SharedFrame((header + beginning, part), is_free=True))
    return tuple(frames)
