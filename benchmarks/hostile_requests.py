"""Attacks within every limit by requests: heads of all kinds, pages, and what changes a profile.

They are rows of the table of :mod:`benchmarks.hostile_bystanders`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Sequence

from benchmarks.hostile_kit import (
    Started,
    held,
    paced,
    request_for,
    seat_heavy_members,
    send_and_hold,
    send_at,
)
from benchmarks.rawclient import encode_binary, encode_text, upgrade_request
from benchmarks.subject import Subject
from presence_server.core.yjs.varint import write_text, write_uint

CONNECTS_PER_S = 950
BOARD = "/ws/boards/mallory"
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 18)]


def joins(subject: Subject, seconds: float, started: Started) -> None:
    """950 connects a second as browsers make them, each by another user."""
    requests = [request_for(f"mallory-{number % 9}", f"user-{number}") for number in range(900)]
    _connect(subject, seconds, started, requests)


def odd_heads(subject: Subject, seconds: float, started: Started) -> None:
    """950 connects a second whose heads are the longest of each kind, in turn."""
    _connect(subject, seconds, started, ODD_HEADS)


def heads_of_many(subject: Subject, seconds: float, started: Started) -> None:
    """The same from 16 addresses, none of which is near its limit."""
    _connect(subject, seconds, started, ODD_HEADS, ADDRESSES)


def first_messages(subject: Subject, seconds: float, started: Started) -> None:
    """950 clients of Hocuspocus a second, with 2 000 pings and a token of 16 KB behind the head."""
    auth = write_text("mallory") + write_uint(2) + write_uint(0) + write_text("x" * 16_000)
    head = upgrade_request("/hocuspocus", "x")
    _connect(subject, seconds, started, [head + PING * 2000 + encode_binary(auth)])


def requests(subject: Subject, seconds: float, started: Started) -> None:
    """950 requests a second for lists, histories, metrics and files, with long queries."""
    query = "&".join(f"a{number}={'%41' * 80}" for number in range(60))
    paths = ("/api/boards/bystanders/presence", "/api/boards", "/metrics", "/boards/demo")
    files = ("/static/dist/presence.js", "/static/%2e%2e/presence.js", "/" + "%41" * 4000)
    targets = [f"{path}?{query}" for path in (*paths, *files)]
    _connect(subject, seconds, started, [_get(target) for target in targets])


def profiles(subject: Subject, seconds: float, started: Started) -> None:
    """Names of combining marks and long avatars: ``profile:update``, 10 sockets, 48 a second."""
    change = {"display_name": "\u0301" * 640, "avatar_url": "https://x/" + "a" * 2000}
    message = {"type": "profile:update", "payload": change}
    data = encode_text(json.dumps(message, ensure_ascii=False).encode())
    send_at(subject, seconds, started, 10, 48, data)


def refreshes(subject: Subject, seconds: float, started: Started) -> None:
    """Tokens of 60 KB that nobody signed: ``auth:refresh``, 10 sockets, 48 a second."""
    data = encode_text(b'{"type":"auth:refresh","payload":{"token":"%b"}}' % (b"e30." * 15_000))
    send_at(subject, seconds, started, 10, 48, data)


def watchers(subject: Subject, seconds: float, started: Started) -> None:
    """A full board with full metadata; 950 a second come to watch it, and go."""
    with contextlib.ExitStack() as stack:
        seat_heavy_members(subject, stack, "full", 100)
        requests = [
            upgrade_request(f"/ws/boards/full?user_id=waiting-{number}&watch=1", "x")
            for number in range(900)
        ]
        _connect(subject, seconds, started, requests)


PING = b"\x89\x80\0\0\0\0"


def _odd_heads() -> list[bytes]:
    def head(query: str, headers: str = "") -> bytes:
        return upgrade_request(f"{BOARD}?{query}", "x", headers)

    many = "".join(f"X-A{number}: {'v' * 120}\r\n" for number in range(90))
    return [
        head("user_id=" + "%41" * 3800 + "&display_name=" + "%CC%81" * 640),
        head("user_id=a&token=" + "a%41" * 3700),
        head("user_id=a&token=" + "%" * 15_000),
        head("user_id=a&display_name=" + "a%CC%81" * 130),
        head("&".join(f"user_id={'%41' * 80}" for _ in range(60))),
        head("user_id=" + "+" * 15_000),
        head("user_id=a", many),
        head("user_id=a", "Cookie: " + "a" * 15_000 + "\r\n"),
        head("user_id=a", "Origin: http://" + "a" * 15_000 + "\r\n"),
        head("user_id=a", "Sec-WebSocket-Protocol: " + "a," * 7000 + "presence.v1\r\n"),
        head("user_id=a", "X-Forwarded-For: " + "1.1.1.1," * 1800 + "1.1.1.1\r\n"),
        head("user_id=a", "Connection: " + "a," * 7000 + "b\r\n"),
        upgrade_request("/ws/boards/" + "%41" * 128 + "?user_id=a", "x"),
        upgrade_request("/ws/boards/" + "%41" * 4000, "x"),
        upgrade_request("/yjs/mallory?token=" + "a%41" * 3700, "x"),
    ]


ODD_HEADS = _odd_heads()


REQUESTS: dict[str, Callable[[Subject, float, Started], None]] = {
    attack.__name__: attack
    for attack in (
        joins,
        odd_heads,
        heads_of_many,
        first_messages,
        requests,
        profiles,
        refreshes,
        watchers,
    )
}


def _get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def _connect(
    subject: Subject,
    seconds: float,
    started: Started,
    requests: Sequence[bytes],
    addresses: Sequence[str] = ADDRESSES[:1],
) -> None:
    """Send one request a connection, and let the 200 newest stay."""
    started()
    turns = zip(itertools.cycle(requests), itertools.cycle(addresses), strict=False)
    with held(200) as hold:
        for _, (request, address) in zip(paced(seconds, CONNECTS_PER_S), turns, strict=False):
            send_and_hold(subject, request, hold, address=address)
