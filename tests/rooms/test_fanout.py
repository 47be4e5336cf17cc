"""A broadcast is encoded once and written once per member and flush."""

from __future__ import annotations

import trio

from presence_server.protocol.frames import text_frame
from presence_server.protocol.messages import BoardJoined, PresenceChanged, UserJoined
from presence_server.protocol.model import Update
from presence_server.rooms.fanout import Fanout
from tests.rooms.fake_board import FakeBoard, FakePeer, settle


def test_every_member_gets_the_same_bytes_in_one_write() -> None:
    fanout, peers = Fanout(), [FakePeer(n) for n in range(3)]
    for peer in peers:
        fanout.add(peer)
    fanout.broadcast(b"one")
    fanout.broadcast(b"two")
    assert fanout.flush() == (6, 2)
    assert [peer.writes for peer in peers] == [[b"onetwo"]] * 3
    assert peers[0].writes[0] is peers[1].writes[0]


def test_a_member_that_comes_within_a_batch_gets_only_the_frames_after_that() -> None:
    fanout, early, late = Fanout(), FakePeer(1), FakePeer(2)
    fanout.add(early)
    fanout.broadcast(b"before")
    fanout.add(late)
    fanout.broadcast(b"after")
    assert fanout.flush() == (3, 2)
    assert early.writes == [b"beforeafter"]
    assert late.writes == [b"after"]


def test_a_member_that_comes_last_in_a_batch_is_written_nothing() -> None:
    fanout, early, late = Fanout(), FakePeer(1), FakePeer(2)
    fanout.add(early)
    fanout.broadcast(b"before")
    fanout.add(late)
    fanout.flush()
    assert late.writes == []


def test_a_member_that_goes_gets_nothing_more() -> None:
    fanout, goes, stays = Fanout(), FakePeer(1), FakePeer(2)
    fanout.add(goes)
    fanout.add(stays)
    fanout.broadcast(b"frame")
    fanout.remove(1)
    assert fanout.flush() == (1, 1)
    assert goes.writes == []


def test_without_members_nothing_waits() -> None:
    fanout = Fanout()
    fanout.broadcast(b"frame")
    assert not fanout.pending
    assert fanout.flush() == (0, 0)


def test_frames_of_every_length_are_those_of_rfc_6455() -> None:
    for length in (0, 125, 126, 65535, 65536):
        frame = text_frame(b"x" * length)
        if length < 126:
            assert frame[:2] == bytes([0x81, length])
        elif length < 65536:
            assert frame[:4] == b"\x81\x7e" + length.to_bytes(2, "big")
        else:
            assert frame[:10] == b"\x81\x7f" + length.to_bytes(8, "big")
        assert frame.endswith(b"x" * length)


async def test_a_batch_of_updates_is_one_write_per_member(nursery: trio.Nursery) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    peers = [board.connect(f"user-{n}") for n in range(20)]
    await settle()
    for peer in peers:
        peer.take()
    board.metrics.flushes.clear()
    with board.registry.batch:
        for n, peer in enumerate(peers):
            board.update(peer, Update(metadata=b'{"n":%d}' % n))
        assert all(not peer.writes for peer in peers)
    # The end of a batch flushes at once, without waiting for anybody's turn.
    assert [len(peer.writes) for peer in peers] == [1] * 20
    assert board.metrics.flushes == [(400, 20)]


async def test_a_broadcast_is_encoded_once(nursery: trio.Nursery) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    peers = [board.connect(f"user-{n}") for n in range(10)]
    await settle()
    for peer in peers:
        peer.take()
    board.update(peers[0], Update(metadata=b'{"a":1}'))
    await settle()
    assert len({id(peer.writes[0]) for peer in peers}) == 1


async def test_joining_in_one_batch_keeps_snapshot_and_broadcasts_apart(
    nursery: trio.Nursery,
) -> None:
    board = FakeBoard(commits_at_once=False)
    await nursery.start(board.registry.run)
    with board.registry.batch:
        peers = [board.connect(f"user-{n}") for n in range(5)]
        board.store.commit()
    for n, peer in enumerate(peers):
        joined, *rest = peer.take()
        assert isinstance(joined, BoardJoined)
        assert len(joined.payload.current_users) == n + 1
        assert all(isinstance(event, UserJoined) for event in rest)
        assert len(rest) == 4 - n


async def test_a_sender_hears_its_own_update(nursery: trio.Nursery) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    peer = board.connect("ada")
    peer.take()
    board.update(peer, Update(metadata=b"{}"))
    await settle()
    (event,) = peer.take()
    assert isinstance(event, PresenceChanged)


async def test_frames_from_many_tasks_at_once_are_flushed_together(
    nursery: trio.Nursery,
) -> None:
    board = FakeBoard()
    await nursery.start(board.registry.run)
    watcher = board.connect("ada")
    await settle()
    watcher.take()

    async def join(number: int) -> None:
        board.connect(f"user-{number}")

    for number in range(30):
        nursery.start_soon(join, number)
    await settle()
    assert len(watcher.writes) == 1
    assert watcher.names() == ["user:joined"] * 30


def test_a_frame_for_one_member_does_not_overtake_a_broadcast() -> None:
    fanout, one, other = Fanout(), FakePeer(1), FakePeer(2)
    fanout.add(one)
    fanout.add(other)
    fanout.broadcast(b"first")
    fanout.catch_up(1)
    one.write(b"answer")
    fanout.broadcast(b"second")
    fanout.catch_up(3)  # Not a member, or not any more.
    assert fanout.flush() == (4, 2)
    assert b"".join(one.writes) == b"firstanswersecond"
    assert b"".join(other.writes) == b"firstsecond"
