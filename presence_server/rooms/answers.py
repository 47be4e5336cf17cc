"""What clients lack of a Yjs document, framed once for all who lack the same."""

from __future__ import annotations

import weakref

from ..core.document_events import DocumentAnswer
from ..core.yjs.wire import change, step_2
from ..protocol.frames import SharedFrame, binary_frame


class Answers:
    """Makes the frames of answers, and keeps them for as long as somebody keeps the answer."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: weakref.WeakKeyDictionary[DocumentAnswer, tuple[SharedFrame, ...]] = (
            weakref.WeakKeyDictionary()
        )

    def frames(self, answer: DocumentAnswer) -> tuple[SharedFrame, ...]:
        """The frames of one answer: changes, and the last part as sync step 2."""
        frames = self._frames.get(answer)
        if frames is None:
            *first, last = answer.parts
            messages = [*map(change, first), step_2(last)]
            frames = tuple(SharedFrame((binary_frame(m),), is_free=True) for m in messages)
            self._frames[answer] = frames
        return frames
