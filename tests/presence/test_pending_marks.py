"""The times of queues that wait for the store."""

from __future__ import annotations

from presence_server.presence.pending_marks import PendingMarks
from presence_server.storage.write_batch import QueueMark


def test_the_newest_time_of_each_user_is_handed_out_once() -> None:
    marks = PendingMarks()
    for user_id, at_ms in (("ada", 1), ("", 2), ("ada", 3), ("ada", 2)):
        marks.add(QueueMark("b", user_id, at_ms))
    assert len(marks) == 2
    assert marks.take() == [QueueMark("b", "ada", 3), QueueMark("b", "", 2)]
    assert marks.take() == []


def test_what_could_not_be_written_is_kept_beside_what_came_since() -> None:
    marks = PendingMarks()
    marks.add(QueueMark("b", "ada", 1))
    failed = [*marks.take(), QueueMark("b", "bob", 9)]
    marks.add(QueueMark("b", "ada", 5))
    marks.keep(failed)
    assert marks.take() == [QueueMark("b", "ada", 5), QueueMark("b", "bob", 9)]


def test_an_outage_without_end_takes_bounded_memory() -> None:
    marks = PendingMarks(limit=2)
    for number in range(5):
        marks.add(QueueMark("b", f"user-{number}", number))
    assert [mark.at_ms for mark in marks.take()] == [3, 4]
