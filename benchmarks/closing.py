"""How soon the server is rid of whoever misbehaves, on the wall clock.

Tests show *that* each of these ends and with which code, on a clock of their own; this reads a
real one. A connection is gone when the server's process holds no socket for it any more,
whatever its peer does or fails to do. Everything is on 127.0.0.0/8 and ends by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
from msgspec import Struct

from benchmarks.crowd import HEARTBEAT, Crowd, Member, allow_many_sockets
from benchmarks.rawclient import RawClient, ServerClosed, board_path, encode_text, upgrade_request
from benchmarks.subject import Subject, running_server

LIMIT_S = 60.0
"""Whatever takes longer than this has failed."""
MEMBERS = 99
LOUD_PER_S = 200
SECRET = "not a secret, but as long as one has to be"


class Outcome(Struct, frozen=True):
    """What was seen of one offender, in seconds, and what it may take where that is bounded."""

    what: str
    seconds: float
    aim: float | None = None


def at_server(subject: Subject, peer: socket.socket) -> list[str] | None:
    """The server's own socket for ``peer`` as proc(5) shows it, or None if it holds none."""
    ours, its = f":{peer.getsockname()[1]:04X}", f":{subject.port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(its) and fields[2].endswith(ours) and fields[9] != "0":
            return fields
    return None


def waiting_bytes(subject: Subject, peer: socket.socket) -> int:
    """What the system of the server holds for ``peer``; more waits in the server itself."""
    fields = at_server(subject, peer)
    return int(fields[4].partition(":")[0], 16) if fields else 0


def small_socket(subject: Subject, source: str = "127.0.0.1") -> socket.socket:
    """A connection over which little is on its way at once.

    Its segments are those of an Ethernet: for the 64 KiB ones of a loopback the server's system
    takes some megabytes before the server notices anything.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
    sock.settimeout(LIMIT_S)
    sock.bind((source, 0))
    sock.connect((subject.host, subject.port))
    return sock


def stalled_client(subject: Subject, board_id: str, user_id: str) -> socket.socket:
    """A client that has asked to join and never reads."""
    sock = small_socket(subject)
    sock.sendall(upgrade_request(board_path(board_id, user_id=user_id), subject.host))
    return sock


def seconds_until(done: Callable[[], bool], since: float) -> float:
    """From ``since`` to when it is done.

    Raises:
        TimeoutError: that takes longer than :data:`LIMIT_S`.
    """
    while not done():
        if time.monotonic() - since > LIMIT_S:
            raise TimeoutError(done.__name__)
        time.sleep(0.01)
    return time.monotonic() - since


def gone_after(subject: Subject, peer: socket.socket, since: float) -> float:
    """Seconds from ``since`` until the server is rid of ``peer``."""

    def is_gone() -> bool:
        return at_server(subject, peer) is None

    return seconds_until(is_gone, since)


def slow_reader() -> Iterator[Outcome]:
    """Never reads, on a full board under load."""
    with running_server({"board.capacity": 100, "board.reconnecting_after_s": 0}) as subject:
        crowd = Crowd(subject)
        crowd.join(("board", f"member-{number}") for number in range(MEMBERS))
        slow = stalled_client(subject, "board", "slow")
        told: list[float] = []

        def on_text(_: Member, text: bytes) -> None:
            if not told and b'"user_id":"slow"' in text and b'"connected":false' in text:
                told.append(time.monotonic())

        crowd.on_text = on_text
        began, sent = time.monotonic(), 0
        while not told or at_server(subject, slow):
            passed = time.monotonic() - began
            if passed > LIMIT_S:
                raise TimeoutError("the slow reader")
            while sent < passed * LOUD_PER_S:
                sent += 1
                payload = {"metadata": {"loud": sent, "note": "x" * 1500}}
                message = json.dumps({"type": "presence:update", "payload": payload})
                with contextlib.suppress(OSError):
                    crowd.members[sent % MEMBERS].socket.send(encode_text(message.encode()))
            crowd.turn(0.005)
        gone_at = time.monotonic()
        crowd.close()
        slow.close()
        yield Outcome("slow reader: from joining to 4508", told[0] - began)
        yield Outcome("slow reader: from 4508 to closed", gone_at - told[0], 10)


def too_big() -> Iterator[Outcome]:
    """65 KiB in one message and then more, reading the answers or not."""
    for reads in (True, False):
        with running_server({"limits.messages_per_s": 10_000}) as subject:
            if reads:
                client = RawClient(subject.host, subject.port, board_path("b", user_id="big"))
                sock = client.socket
            else:
                sock = stalled_client(subject, "b", "big")
                _make_wait(subject, "b", [sock])
            began = time.monotonic()
            sock.sendall(b"\x81\xff" + (65 * 1024).to_bytes(8, "big") + bytes(4 + 65536))
            threading.Thread(target=_pour, args=(sock, 64 * 2**20), daemon=True).start()
            if reads:
                code = _close_code(client)
                assert code == 1009, code
            seconds = gone_after(subject, sock, began)
            sock.close()
            how = "reading" if reads else "reading nothing"
            yield Outcome(f"65 KiB and 64 MiB more, {how}: to closed", seconds, 5)


def slow_pages() -> Iterator[Outcome]:
    """Ask for a big answer again and again, and take none of it."""
    settings = {"limits.messages_per_s": 10_000, "board.capacity": 100}
    with running_server(settings) as subject, contextlib.ExitStack() as stack:
        for number in range(60):
            path = board_path("b", user_id=f"user-{number}")
            client = RawClient(subject.host, subject.port, path)
            client.next_of("board:joined")
            client.send("presence:update", metadata={"note": "x" * 1900})
            client.next_of("presence:update")
        for address, where in (("127.0.0.2", "another address"), (subject.host, "the same")):
            for _ in range(300):
                sock = stack.enter_context(small_socket(subject, address))
                sock.sendall(b"GET /api/boards/b/presence HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.5)
            began = time.monotonic()
            sock = stack.enter_context(socket.create_connection((subject.host, subject.port)))
            sock.settimeout(LIMIT_S)
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = sock.recv(100)
            seconds = time.monotonic() - began
            assert b" 200 " in answer or where == "the same", answer
            told = "answered" if answer else "closed unanswered"
            what = f"300 pages not read from {where}: /healthz {told}"
            yield Outcome(what, seconds, 1 if where == "another address" else None)


def flood() -> Iterator[Outcome]:
    """10 000 messages a second from one socket."""
    with running_server() as subject:
        client = RawClient(subject.host, subject.port, board_path("b", user_id="flood"))
        began = time.monotonic()
        pour = threading.Thread(target=_pour_messages, args=(client.socket,), daemon=True)
        pour.start()
        code = _close_code(client)
        told = time.monotonic()
        assert code == 4429, code
        seconds = gone_after(subject, client.socket, told)
        client.close()
        yield Outcome("10 000 messages/s: from the first to 4429", told - began)
        yield Outcome("10 000 messages/s: from 4429 to closed", seconds, 5)


def descriptors() -> Iterator[Outcome]:
    """As many clients as the process has descriptors, and more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    with contextlib.ExitStack() as stack:
        try:
            subject = stack.enter_context(running_server({"board.capacity": 1000}))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        crowd = []
        for number in range(100):
            sock = stack.enter_context(socket.create_connection((subject.host, subject.port)))
            sock.sendall(upgrade_request(board_path("b", user_id=f"user-{number}"), subject.host))
            sock.settimeout(0.3)
            crowd.append(sock)
        within = [sock for sock in crowd if _hears_something(sock)]
        waiting = [sock for sock in crowd if sock not in within]
        assert within
        assert waiting
        began = time.monotonic()
        within[0].close()
        waiting[0].settimeout(LIMIT_S)
        assert b" 101 " in waiting[0].recv(100)
        yield Outcome("out of descriptors: from a free one to 101", time.monotonic() - began, 1)


def drain() -> Iterator[Outcome]:
    """SIGTERM with 50 peers that take nothing."""
    settings = {"server.drain_timeout_s": 3, "limits.messages_per_s": 10_000}
    with running_server(settings) as subject:
        clients = [stalled_client(subject, "b", f"stalled-{number}") for number in range(50)]
        _make_wait(subject, "b", clients)
        began = time.monotonic()
        os.kill(subject.pid, signal.SIGTERM)
        seconds = seconds_until(lambda: _has_ended(subject.pid), began)
        for client in clients:
            client.close()
        yield Outcome("SIGTERM, drain_timeout_s = 3, stalled peers: to the end", seconds, 5)


def expiry() -> Iterator[Outcome]:
    """A token that ends."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server({"auth.mode": "jwt", "auth.jwt_secret_file": _secret(folder)}) as subject,
    ):
        expires = int(time.time()) + 2
        claims = {"sub": "alice", "exp": expires, "boards": ["b"]}
        token = jwt.encode(claims, SECRET, "HS256")
        client = RawClient(subject.host, subject.port, board_path("b", token=token))
        code = _close_code(client)
        told = time.time()
        client.close()
        assert code == 4401, code
        yield Outcome("token expired: from exp to closed", told - expires, 5)


ROWS = (slow_reader, too_big, slow_pages, flood, descriptors, drain, expiry)


def _secret(folder: str) -> str:
    path = Path(folder) / "secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return str(path)


def _make_wait(subject: Subject, board_id: str, stalled: list[socket.socket]) -> None:
    """Say on a board what waits for those who do not read, but is no reason to close them yet."""
    path = board_path(board_id, user_id="talker")
    talker = RawClient(subject.host, subject.port, path)
    talker.next_of("board:joined")
    for number in range(300):
        talker.send("presence:update", metadata={"n": number, "note": "x" * 1900})
        talker.next_of("presence:update")
    for sock in stalled:
        assert waiting_bytes(subject, sock) > 0
    talker.close()


def _pour(sock: socket.socket, size: int) -> None:
    with contextlib.suppress(OSError):
        for _ in range(size // 65536):
            sock.sendall(bytes(65536))
        while True:
            sock.sendall(bytes(65536))
            time.sleep(0.05)


def _pour_messages(sock: socket.socket) -> None:
    began, sent = time.monotonic(), 0
    with contextlib.suppress(OSError):
        while (passed := time.monotonic() - began) < LIMIT_S:
            if sent < passed * 10_000:
                sock.sendall(HEARTBEAT * 100)
                sent += 100
            else:
                time.sleep(0.002)


def _close_code(client: RawClient) -> int:
    try:
        while True:
            client.next()
    except ServerClosed as closed:
        return closed.code


def _hears_something(sock: socket.socket) -> bool:
    try:
        return b" 101 " in sock.recv(100)
    except TimeoutError:
        return False


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; its parent has yet to fetch how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--only", choices=[row.__name__ for row in ROWS], action="append")
    options = parser.parse_args()
    allow_many_sockets()
    for row in ROWS:
        if options.only and row.__name__ not in options.only:
            continue
        for outcome in row():
            aim = f"aim {outcome.aim:g} s" if outcome.aim is not None else ""
            print(f"{outcome.what:58} {outcome.seconds:6.2f} s  {aim}", flush=True)


if __name__ == "__main__":
    main()
