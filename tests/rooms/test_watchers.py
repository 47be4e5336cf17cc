"""Watchers with and without a prefix in front of each message."""

from __future__ import annotations

from presence_server.core.document_events import DocumentAnswer
from presence_server.protocol.frames import binary_frame
from presence_server.rooms.answers import Answers
from presence_server.rooms.fanout import Fanout
from presence_server.rooms.watchers import Watchers
from tests.rooms.fake_board import FakePeer


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
