"""The clients of ``make soak ARGS=--model``: what they do at random, and what they must see."""

from __future__ import annotations

import json
import math
import random
import select
import socket
import time
from collections import Counter, defaultdict
from contextlib import suppress

from msgspec import Struct

from benchmarks.model_queue import Place, QueueOrder
from benchmarks.model_replica import Replica
from benchmarks.rawclient import PONG, board_path, encode_text, split_frames, upgrade_request
from benchmarks.subject import Subject

RESUMES_FOR_SURE_S = 2.5
"""A session that is asked for and answered so soon after its drop, or after the start of the
server, must still be there; well under ``board.reclaim_after_s``."""
HEARTBEAT_S = 1.0
EXPECTED_CLOSES = frozenset({1000, 1001, 4409, 4410})
PAGE_LEFT = b"\x88\x82\0\0\0\0\x03\xe9"


class Session(Struct, eq=False):
    """A session that its owner may come back to.

    Attributes:
        dropped_at: when its connection ended, by a monotonic clock; infinity: with the server.
        must_resume: whether it had joined, and nothing has ended it.
        is_dead: whether it left or was kicked, so that it must never be resumed.
    """

    session_id: str
    dropped_at: float
    must_resume: bool = False
    is_dead: bool = False


class Tab(Struct, eq=False):
    """One connection of a user."""

    board_id: str
    user_id: str
    socket: socket.socket
    replica: Replica
    asked_at: float
    asked_for: Session | None
    buffer: bytearray
    phase: str = "opening"
    """``opening``, ``queued``, ``joined`` or ``leaving``."""
    session_id: str | None = None


class ModelClients:
    """Users of several boards, each with a replica of its board.

    Args:
        chance: decides what they do.
        boards: the boards' ids.
        people: the users of each board.
        capacity: of each board.
        grace_s: how long a place in a queue is kept for somebody who dropped, in seconds.

    Attributes:
        violations: the rules that were broken.
        did: how often what was done and seen.
        queues: the order of the queue of each board.
    """

    def __init__(
        self,
        chance: random.Random,
        boards: list[str],
        people: list[str],
        capacity: int,
        grace_s: float,
    ) -> None:
        self.violations: list[str] = []
        self.did: Counter[str] = Counter()
        self.queues = {board: QueueOrder(grace_s) for board in boards}
        self._chance = chance
        self._everybody = [(board, person) for board in boards for person in people]
        self._capacity = capacity
        self._subject: Subject | None = None
        self._epoll = select.epoll()
        self._tabs: dict[int, Tab] = {}
        self._sessions: defaultdict[tuple[str, str], list[Session]] = defaultdict(list)
        self._beat_at = self._met_at = 0.0

    def meet(self, subject: Subject) -> None:
        """Use this server from now on."""
        self._subject = subject
        self._met_at = time.monotonic()

    def turn(self, timeout_s: float) -> None:
        """Handle what the server sent, and send heartbeats when they are due."""
        for descriptor, _ in self._epoll.poll(timeout_s):
            tab = self._tabs.get(descriptor)
            if tab is not None:
                self._read(tab)
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_S
            for tab in list(self._tabs.values()):
                if tab.phase in ("queued", "joined"):
                    self._send(tab, "heartbeat")
        for board, queue in self.queues.items():
            self._note(board, queue.overdue(now))

    def joined(self, board_id: str) -> list[Tab]:
        """The tabs that see a board."""
        return [t for t in self._tabs.values() if t.board_id == board_id and t.phase == "joined"]

    def settled(self) -> bool:
        """Whether nobody waits for an answer of the server."""
        return all(tab.phase in ("queued", "joined") for tab in self._tabs.values())

    # --- what they do ---------------------------------------------------------

    def act(self) -> tuple[str, str] | None:
        """Let one user do something; returns a board and a user to kick, if that is what."""
        who = self._chance.choice(self._everybody)
        tabs = [t for t in self._tabs.values() if (t.board_id, t.user_id) == who]
        live = [tab for tab in tabs if tab.phase in ("queued", "joined")]
        luck = self._chance.random()
        if not tabs or (luck < 0.03 and len(tabs) < 3):
            self.come(*who)
        elif not live:
            return None
        elif luck < 0.09:
            self._drop(self._chance.choice(live), "drops")
        elif luck < 0.12:
            tab = self._chance.choice(live)
            self._write(tab, PAGE_LEFT)
            self._drop(tab, "pages left", must_resume=False)
        elif luck < 0.16:
            self._leave(self._chance.choice(live))
        elif luck < 0.17:
            return who
        elif luck < 0.9:
            self._update(self._chance.choice(live))
        return None

    def come(self, board_id: str, user_id: str) -> None:
        """Connect, mostly to a session of before if there is one."""
        sessions = self._sessions[board_id, user_id]
        session = None
        if sessions and self._chance.random() < 0.8:
            session = sessions.pop(self._chance.randrange(len(sessions)))
        self._connect(board_id, user_id, session)

    def come_back(self) -> None:
        """Everybody who had a session when the server died asks for it at once."""
        waiting = [(who, session) for who, found in self._sessions.items() for session in found]
        self._sessions.clear()
        self._chance.shuffle(waiting)
        for (board_id, user_id), session in waiting:
            if session.must_resume or self._chance.random() < 0.5:
                self._connect(board_id, user_id, session)

    def kicked(self, board_id: str, user_id: str) -> None:
        """The server said that it removed a user: none of their sessions may be resumed."""
        self.did["kicks"] += 1
        self.queues[board_id].left(user_id)
        for session in self._sessions[board_id, user_id]:
            session.is_dead, session.must_resume = True, False
        for tab in self._tabs.values():
            if (tab.board_id, tab.user_id) != (board_id, user_id):
                continue
            if tab.phase == "opening":
                # It asks for a session that is gone, or it gets a new one.
                if tab.asked_for is not None:
                    tab.asked_for.must_resume = False
            else:
                tab.phase = "leaving"

    def died(self) -> dict[str, list[Place]]:
        """The server was killed: read the rest, and remember who must come back to what.

        Returns:
            The order of each queue, as far as it was known.
        """
        now = time.monotonic()
        while self._tabs:
            before = len(self._tabs)
            for tab in list(self._tabs.values()):
                self._read(tab)
            if len(self._tabs) == before:
                time.sleep(0.01)
        for sessions in self._sessions.values():
            for session in sessions:
                # A leave or a kick of the last second need not be in the store.
                session.is_dead = False
                if now - session.dropped_at < RESUMES_FOR_SURE_S / 2:
                    session.dropped_at = math.inf
        return {board: queue.restarted(now) for board, queue in self.queues.items()}

    def close(self) -> None:
        """Drop everything."""
        for tab in list(self._tabs.values()):
            self._forget(tab)
        self._epoll.close()

    def _connect(self, board_id: str, user_id: str, session: Session | None) -> None:
        assert self._subject is not None
        self.did["connects"] += 1
        query = {"user_id": user_id} | ({"session_id": session.session_id} if session else {})
        asked_at = time.monotonic()
        try:
            sock = socket.create_connection((self._subject.host, self._subject.port), timeout=10)
            sock.sendall(upgrade_request(board_path(board_id, **query), self._subject.host))
        except OSError as error:
            self.violations.append(f"a connection failed: {error}")
            return
        sock.setblocking(False)
        replica = Replica(self._capacity)
        tab = Tab(board_id, user_id, sock, replica, asked_at, session, bytearray())
        self._tabs[sock.fileno()] = tab
        self._epoll.register(sock, select.EPOLLIN)

    def _drop(self, tab: Tab, what: str, *, must_resume: bool = True) -> None:
        self.did[what] += 1
        self._keep_session(tab, must_resume=must_resume)
        self._forget(tab)

    def _leave(self, tab: Tab) -> None:
        self.did["leaves"] += 1
        self._send(tab, "board:leave")
        tab.phase = "leaving"

    def _update(self, tab: Tab) -> None:
        if tab.phase != "joined":
            return
        self.did["updates"] += 1
        payload: dict[str, object] = {"status": self._chance.choice(["online", "idle", "away"])}
        if self._chance.random() < 0.6:
            payload["cursor"] = {"x": self._chance.random(), "y": self._chance.random()}
        if self._chance.random() < 0.3:
            payload["metadata"] = {"n": self._chance.randrange(1000)}
        self._send(tab, "presence:update", **payload)

    def _send(self, tab: Tab, kind: str, **payload: object) -> None:
        self._write(tab, encode_text(json.dumps({"type": kind, "payload": payload}).encode()))

    def _write(self, tab: Tab, data: bytes) -> None:
        with suppress(OSError):  # The end of the connection is seen when it is read.
            tab.socket.send(data)

    # --- what they see --------------------------------------------------------

    def _read(self, tab: Tab) -> None:
        try:
            data = tab.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._keep_session(tab, must_resume=True)
            self._forget(tab)
            return
        tab.buffer += data
        if tab.buffer.startswith(b"HTTP/"):
            head, separator, rest = bytes(tab.buffer).partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head:
                self._note(tab.board_id, [f"refused: {head.splitlines()[0].decode()}"])
                self._forget(tab)
                return
            tab.buffer = bytearray(rest)
        for opcode, payload in split_frames(tab.buffer):
            if opcode == 9:
                self._write(tab, PONG)
            elif opcode == 8:
                self._closed(tab, int.from_bytes(payload[:2], "big"))
                return
            elif opcode == 1:
                event = json.loads(payload)
                self._see(tab, event["type"], event["payload"])

    def _see(self, tab: Tab, kind: str, payload: dict[str, object]) -> None:
        now = time.monotonic()
        if kind == "board:joined":
            self._joined(tab, payload, now)
        elif kind == "board:queued":
            self.did["positions"] += 1
            tab.session_id = str(payload["session_id"])
            if tab.phase == "opening":
                tab.phase = "queued"
            problems = self.queues[tab.board_id].waits(
                tab.user_id,
                tab.asked_at,
                now,
                int(str(payload["position"])),
                is_new=tab.asked_for is None,
            )
            self._note(tab.board_id, problems)
        elif kind == "error":
            self._note(tab.board_id, [f"{tab.user_id} got {payload}"])
        elif tab.phase in ("joined", "leaving"):
            self._note(tab.board_id, tab.replica.apply(kind, payload))

    def _joined(self, tab: Tab, payload: dict[str, object], now: float) -> None:
        self.did["resumes" if payload["resumed"] else "joins"] += 1
        asked_for, waited = tab.asked_for, tab.phase == "queued"
        tab.session_id = str(payload["session_id"])
        if tab.phase != "leaving":
            tab.phase = "joined"
        users = payload["current_users"]
        assert isinstance(users, list)
        self._note(tab.board_id, tab.replica.replace(users))
        if waited:
            me = next(user for user in users if user["user_id"] == tab.user_id)
            at_ms = float(me["joined_at"])
            self._note(tab.board_id, self.queues[tab.board_id].seated(tab.user_id, at_ms, now))
        else:
            self.queues[tab.board_id].left(tab.user_id)
        if asked_for is not None and not payload["resumed"]:
            since = self._met_at if asked_for.dropped_at == math.inf else asked_for.dropped_at
            if asked_for.must_resume and now - since < RESUMES_FOR_SURE_S:
                problem = f"{tab.user_id} lost a session within {now - since:.1f} s"
                self._note(tab.board_id, [problem])
        if asked_for is not None and asked_for.is_dead and payload["resumed"]:
            self._note(tab.board_id, [f"{tab.user_id} resumed a session that had ended"])

    def _closed(self, tab: Tab, code: int) -> None:
        self.did[f"closed {code}"] += 1
        if code not in EXPECTED_CLOSES:
            self._note(tab.board_id, [f"{tab.user_id} was closed with {code}"])
        if tab.session_id is not None and code in (1000, 4410):
            dead = Session(tab.session_id, time.monotonic(), is_dead=True)
            self._sessions[tab.board_id, tab.user_id].append(dead)
        self._forget(tab)

    def _keep_session(self, tab: Tab, *, must_resume: bool) -> None:
        if tab.session_id is None:
            if tab.asked_for is not None:
                self._sessions[tab.board_id, tab.user_id].append(tab.asked_for)
            return
        must_resume = must_resume and tab.phase == "joined"
        session = Session(tab.session_id, time.monotonic(), must_resume)
        self._sessions[tab.board_id, tab.user_id].append(session)

    def _forget(self, tab: Tab) -> None:
        if self._tabs.pop(tab.socket.fileno(), None) is not None:
            self._epoll.unregister(tab.socket)
        tab.socket.close()
        self.queues[tab.board_id].broke(tab.user_id)

    def _note(self, board_id: str, problems: list[str]) -> None:
        self.violations += [f"{board_id}: {problem}" for problem in problems]
