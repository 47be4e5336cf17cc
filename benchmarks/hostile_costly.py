"""Attacks within every limit, which cost the server more than they cost the attacker.

Each is given the server, how long to go on, and what to call once it is under way: some of
them fill a board first. They run in a process of their own (:mod:`benchmarks.hostile_bystanders`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from benchmarks.hostile_attacks import connect
from benchmarks.hostile_kit import (
    Started,
    ask,
    held,
    join,
    paced,
    request_for,
    seat_heavy_members,
    send_and_hold,
    send_at,
    update_of,
)
from benchmarks.rawclient import PONG, encode_binary, encode_text, upgrade_request
from benchmarks.subject import Subject
from presence_server.core.yjs import wire
from presence_server.core.yjs.varint import write_uint

CURSOR = encode_text(b'{"type":"presence:update","payload":{"cursor":{"x":1,"y":2}}}')


def repeated_keys(subject: Subject, seconds: float, started: Started) -> None:
    """65 KB of numbers under a key that is repeated: 10 sockets, twice a second each."""
    numbers = b",".join([b"1e308"] * 10_800)
    send_at(subject, seconds, started, 10, 2, update_of(b'{"metadata":{"a":[%b],"a":1}}' % numbers))


def full_metadata(subject: Subject, seconds: float, started: Started) -> None:
    """Metadata of 2 KB from 10 sockets, 48 times a second each."""
    send_at(
        subject, seconds, started, 10, 48, update_of(b'{"metadata":{"a":"%b"}}' % (b"x" * 2000))
    )


def tabs_of_one(subject: Subject, seconds: float, started: Started) -> None:
    """50 tabs of one user, each with new metadata 48 times a second; all of them read."""
    data = update_of(b'{"metadata":{"a":"%b"}}' % (b"x" * 2000))
    send_at(subject, seconds, started, 50, 48, data, one_user=True)


def resumes(subject: Subject, seconds: float, started: Started) -> None:
    """One session, resumed up to 900 times a second with 99 updates behind each request head."""
    session_id = join(subject, "mallory", "mallory")
    request = request_for("mallory", "mallory", session_id) + CURSOR * 99
    started()
    with held(30) as hold:
        for _ in paced(seconds, 900):
            send_and_hold(subject, request, hold)


def heads(subject: Subject, seconds: float, started: Started) -> None:
    """950 connects a second: an id of 3 800 escapes and a name of 640 combining marks."""
    path = "/ws/boards/mallory?user_id=" + "%41" * 3800 + "&display_name=" + "%CC%81" * 640
    request = upgrade_request(path, "x")
    started()
    with held(200) as hold:
        for _ in paced(seconds, 950):
            send_and_hold(subject, request, hold)


def unread_snapshots(subject: Subject, seconds: float, started: Started) -> None:
    """Resumes on a board of 99 with full metadata, none of which reads its snapshot."""
    with contextlib.ExitStack() as stack:
        seat_heavy_members(subject, stack, "heavy", 99)
        session_id = join(subject, "heavy", "mallory")
        request = request_for("heavy", "mallory", session_id)
        started()
        with held(3000) as hold:
            for _ in paced(seconds, 900):
                send_and_hold(subject, request, hold, receive_buffer=4096)


def queue_of_thousand(subject: Subject, seconds: float, started: Started) -> None:
    """1 000 wait for a full board, and come back to their places 900 times a second."""
    with contextlib.ExitStack() as stack:
        for number in range(100):
            ask(subject, stack, "queue", f"member-{number}", b"board:joined")
        waiting = [
            ask(subject, stack, "queue", f"waiting-{number}", b"board:queued")
            for number in range(1000)
        ]
        requests = [
            request_for("queue", f"waiting-{number}", session_id)
            for number, session_id in enumerate(waiting)
        ]
        started()
        with held(2000) as hold:
            for number in paced(seconds, 900):
                send_and_hold(subject, requests[number % 1000], hold)


def yjs_questions(subject: Subject, seconds: float, started: Started) -> None:
    """Long state vectors, awareness of thousands and queries: 10 sockets, 48 times a second."""
    entries = write_uint(9000) + b"".join(write_uint(n) + b"\1\2{}" for n in range(9000))
    vector = write_uint(30_000) + b"".join(write_uint(2**21 + n) + b"\1" for n in range(30_000))
    messages = (wire.step_1(vector), wire.awareness(entries), wire.QUERY_AWARENESS)
    data = b"".join(map(encode_binary, messages))
    send_at(subject, seconds, started, 10, 48, data)


def endless_messages(subject: Subject, seconds: float, started: Started) -> None:
    """300 messages of 60 KB in fragments that never end, kept alive by pongs."""
    part = bytes((0x01, 0xFE)) + (60_000).to_bytes(2, "big") + b"\0\0\0\0" + b"x" * 60_000
    with contextlib.ExitStack() as stack:
        sockets = []
        for number in range(300):
            sock = stack.enter_context(connect(subject))
            sock.sendall(request_for(f"mallory-{number}", "mallory") + part)
            sockets.append(sock)
        started()
        for _ in paced(max(seconds, 14), 1):
            for sock in sockets:
                with contextlib.suppress(OSError):
                    sock.send(PONG)


COSTLY: dict[str, Callable[[Subject, float, Started], None]] = {
    attack.__name__: attack
    for attack in (
        repeated_keys,
        full_metadata,
        tabs_of_one,
        resumes,
        heads,
        unread_snapshots,
        queue_of_thousand,
        yjs_questions,
        endless_messages,
    )
}
