"""Notes in memory that processes share."""

from __future__ import annotations

import os

from presence_server.cluster.notes import SharedNotes


def test_a_note_is_empty_until_it_is_written_and_then_the_newest_counts() -> None:
    notes = SharedNotes(2)
    assert notes.read(1) == b""
    for text in (b"one", b"a longer one", b""):
        assert notes.write(1, text)
        assert (notes.read(0), notes.read(1)) == (b"", text)


def test_a_note_that_is_too_long_changes_nothing() -> None:
    notes = SharedNotes(1)
    notes.write(0, b"short")
    assert not notes.write(0, bytes(70_000))
    assert notes.read(0) == b"short"


def test_a_note_outlives_the_process_that_wrote_it() -> None:
    notes = SharedNotes(2)
    pid = os.fork()
    if not pid:
        notes.write(1, b"from a child")
        os._exit(0)
    os.waitpid(pid, 0)
    assert notes.read(1) == b"from a child"
