"""Watchers with and without a prefix in front of each message."""

from __future__ import annotations

import trio
import trio.testing

from presence_server.core.document_effects import AnswerVector, RelayParts, Watch
from presence_server.core.document_events import (
    AnswerPostponed,
    DocumentAnswer,
    DocumentAnswered,
    DocumentEvent,
)
from presence_server.protocol.frames import binary_frame
from presence_server.rooms.answers import Answers
from presence_server.rooms.document_link import DocumentLink
from presence_server.rooms.effects import EffectCarrier
from presence_server.rooms.fanout import Fanout
from presence_server.rooms.members import Members
from presence_server.rooms.watchers import Watchers
from tests.fake_documents import FakeDocuments
from tests.rooms.fake_board import FakeMetrics, FakePeer, FakeStore


def peer(number: int, prefix: bytes = b"") -> FakePeer:
    found = FakePeer(number)
    found.prefix = prefix
    return found


def test_each_watcher_gets_the_message_with_its_own_prefix() -> None:
    watchers, texts = Watchers(), Fanout()
    plain, ada, bob, other = peer(1), peer(2, b"<a>"), peer(3, b"<a>"), peer(4, b"<b>")
    for found in (plain, ada, bob, other):
        watchers.add(found)
    watchers.broadcast(b"hello")
    watchers.broadcast(b"again")
    assert watchers.pending == 6
    assert watchers.flush_with(texts) == (8, 2)
    assert plain.writes == [binary_frame(b"hello") + binary_frame(b"again")]
    assert ada.writes == [binary_frame(b"<a>hello") + binary_frame(b"<a>again")]
    # The same bytes for all who have the same prefix.
    assert ada.writes[0] is bob.writes[0]
    assert other.writes == [binary_frame(b"<b>hello") + binary_frame(b"<b>again")]


def test_who_comes_in_the_middle_gets_what_follows_and_who_is_gone_nothing() -> None:
    watchers, texts = Watchers(), Fanout()
    ada, bob, plain = peer(1, b"<a>"), peer(2, b"<a>"), peer(3)
    watchers.add(ada)
    watchers.add(plain)
    watchers.broadcast(b"one")
    watchers.add(bob)
    watchers.catch_up(ada.connection_id)
    watchers.catch_up(plain.connection_id)
    watchers.broadcast(b"two")
    watchers.flush_with(texts)
    assert b"".join(ada.writes) == binary_frame(b"<a>one") + binary_frame(b"<a>two")
    assert bob.writes == [binary_frame(b"<a>two")]
    for found in (ada, bob, plain):
        watchers.remove(found.connection_id)
        found.writes.clear()
    watchers.broadcast(b"three")
    assert watchers.flush_with(texts) == (0, 0)
    assert ada.writes == bob.writes == plain.writes == []


def test_an_answer_has_the_prefix_in_front_of_each_part() -> None:
    answers, answer = Answers(), DocumentAnswer((b"one", b"x" * 300))
    plain = [bytes(frame) for frame in answers.frames(answer)]
    assert plain == [
        binary_frame(b"\x00\x02\x03one"),
        binary_frame(b"\x00\x01\xac\x02" + b"x" * 300),
    ]
    prefixed = answers.frames(answer, b"<a>")
    assert [bytes(frame) for frame in prefixed] == [
        binary_frame(b"<a>\x00\x02\x03one"),
        binary_frame(b"<a>\x00\x01\xac\x02" + b"x" * 300),
    ]
    # The long parts are not copied.
    assert prefixed[1].parts[1] is answer.parts[1]
    assert all(frame.is_free for frame in prefixed)


async def test_a_large_change_comes_after_what_waits_in_frames_that_all_share() -> None:
    metrics = FakeMetrics()
    members = Members(metrics)
    members.tell_watchers(RelayParts((b"nobody watches",)))
    peers = [peer(1), peer(2, b"<a>"), peer(3, b"<a>")]
    for found in peers:
        members.add(found)
        members.tell_watchers(Watch(found.connection_id))
    members.relay(b"before")
    members.tell_watchers(RelayParts((b"one", b"two")))
    members.relay(b"after")
    members.flush()
    for found in peers:
        messages = (b"before", b"\x00\x02\x03one", b"\x00\x02\x03two", b"after")
        expected = [binary_frame(found.prefix + message) for message in messages]
        assert b"".join(found.writes) == b"".join(expected)
        assert all(frame.is_free for frame in found.shared)
    # The changes themselves are there once.
    assert all(found.shared[0].parts[1] is peers[0].shared[0].parts[1] for found in peers)
    assert metrics.flushes == [(3, 1), (6, 2), (3, 1)]


async def test_a_client_that_has_not_taken_its_answer_gets_no_other_one() -> None:
    events: list[DocumentEvent] = []
    documents = FakeDocuments()
    documents.open("b", events.append)
    members, found = Members(FakeMetrics()), peer(1)
    link = DocumentLink("b", documents, events.append)
    carrier = EffectCarrier(members, link, FakeStore(), lambda: None)
    members.add(found)
    await trio.testing.wait_all_tasks_blocked()
    events.clear()
    found.is_behind = True
    carrier.carry_out(AnswerVector(1, b"\x00"), 0, lambda _: None)
    assert events == [AnswerPostponed(1, b"\x00")]
    found.is_behind = False
    carrier.carry_out(AnswerVector(1, b"\x00"), 0, lambda _: None)
    await trio.testing.wait_all_tasks_blocked()
    assert isinstance(events[1], DocumentAnswered)
