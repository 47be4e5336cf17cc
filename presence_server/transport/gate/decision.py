"""Decides which part of the server takes a request: web application, WebSocket, or neither."""

from __future__ import annotations

from collections.abc import Sized

import msgspec
import trio

from ...refusals import RefusalReason
from ..http.head import BadRequest, RequestHead, parse_head
from ..http.ready_answers import AnswerFinder, ReadyAnswer, ready_answer
from ..http.refusal import Refusal, bad_request, draining, full
from ..sessions.handshake import Accepted
from ..wire.ports import TransportMetrics
from .addresses import AddressCounter, CountedConnection
from .open_requests import OpenRequests
from .refused_origins import RefusedOrigins
from .siblings import Siblings
from .upgrade import Plain, accept, is_plain, plain, read_handshake


class DecisionLimits(msgspec.Struct, frozen=True):
    """The settings that a request is decided by.

    Attributes:
        max_connections: WebSocket connections to this server.
        max_message_bytes: the largest message of one connection.
        allowed_origins: origins, beside the host's own, that pages may connect from.
        has_yjs: whether there are sockets for clients of y-websocket and Hocuspocus.
    """

    max_connections: int
    max_message_bytes: int
    allowed_origins: frozenset[str]
    has_yjs: bool = False


class Ready(msgspec.Struct, frozen=True):
    """A request whose answer is ready.

    Attributes:
        answer: the answer.
        rest: bytes that came after the request.
        plain: the same request for the web application, which answers it, too.
    """

    answer: ReadyAnswer
    rest: bytes
    plain: Plain


def decide(
    limits: DecisionLimits,
    answers: AnswerFinder,
    head: RequestHead,
    head_bytes: bytes,
    rest: bytes,
    *,
    connections: int,
    is_draining: bool,
) -> Plain | Ready | Accepted | Refusal:
    """Decide about one request. Nothing is written and nothing is counted.

    Args:
        limits: the settings.
        answers: knows the answers that need no web application.
        head: the request.
        head_bytes: the same request as it came.
        rest: bytes that came after the head.
        connections: WebSocket connections that are open now.
        is_draining: whether the server is going down; it accepts no connections then.

    Returns:
        A request for the web application, one whose answer is ready, an accepted handshake, or
        the answer that ends the connection.
    """
    try:
        if is_plain(head, has_yjs=limits.has_yjs):
            request = plain(head, head_bytes, rest)
            answer = ready_answer(answers, head, may_keep_alive=not is_draining)
            return request if answer is None else Ready(answer, rest, request)
        if is_draining:
            return draining()
        handshake = read_handshake(head, limits.allowed_origins, has_yjs=limits.has_yjs)
        if connections >= limits.max_connections:
            return full()
        return accept(handshake, limits.max_message_bytes, rest)
    except Refusal as refusal:
        return refusal


class RequestDecider:
    """Counts connections by address, and decides each request by the counts of the moment.

    Args:
        limits: the settings.
        answers: knows the answers that need no web application.
        addresses: counts connections by their address.
        connections: the WebSocket connections that are open.
        metrics: counts refusals.
    """

    def __init__(
        self,
        limits: DecisionLimits,
        answers: AnswerFinder,
        addresses: AddressCounter,
        connections: Sized,
        metrics: TransportMetrics,
    ) -> None:
        self._limits = limits
        self._answers = answers
        self._addresses = addresses
        self._connections = connections
        self._metrics = metrics
        self._refused_origins = RefusedOrigins()
        self.is_draining = False
        """Whether the server is going down; upgrades are refused then."""
        self.siblings: Siblings | None = None
        """The other processes of this server."""

    def slot_elsewhere(self, head_bytes: bytes) -> int | None:
        """The slot of the process that serves a request; None if this one answers it.

        Args:
            head_bytes: the head of the request.
        """
        if self.siblings is None or self.is_draining:
            return None
        return self.siblings.owner_of(head_bytes)

    def slot_of(self, board_id: str) -> int | None:
        """The slot of the process that serves a board; None if this one does.

        Args:
            board_id: the board.
        """
        return None if self.siblings is None else self.siblings.owner_of_board(board_id)

    def count(self, host: str, requests: OpenRequests) -> CountedConnection:
        """Count a connection that was accepted just now.

        Where there is no room, a connection that only waits for its next request makes some.

        Args:
            host: the address of its peer.
            requests: the connections that are not a WebSocket, or not yet.

        Returns:
            Its count, to be given back when it is closed.

        Raises:
            Refusal: the server or the address is at a limit.
        """
        full_address = self._addresses.full_address(host)
        if requests.count >= self._limits.max_connections:
            requests.idle.close_oldest()
        elif full_address is not None:
            requests.idle.close_oldest_of(full_address)
        try:
            if requests.count >= self._limits.max_connections:
                raise full()
            return self._addresses.arrive(host, trio.current_time())
        except Refusal as refusal:
            self.note_refusal(refusal)
            raise

    def decide(
        self, counted: CountedConnection, head_bytes: bytes, rest: bytes
    ) -> Plain | Ready | Accepted | Refusal:
        """Decide about a request whose head was read.

        Args:
            counted: its connection.
            head_bytes: the head.
            rest: bytes that came after the head.

        Returns:
            See :func:`decide`.
        """
        try:
            head = parse_head(head_bytes)
            forwarded, now = head.get_all("x-forwarded-for"), trio.current_time()
            self._addresses.identify(counted, forwarded, now, len(head_bytes))
        except BadRequest as error:
            return bad_request(error)
        except Refusal as refusal:
            return refusal
        outcome = decide(
            self._limits,
            self._answers,
            head,
            head_bytes,
            rest,
            connections=len(self._connections),
            is_draining=self.is_draining,
        )
        if isinstance(outcome, Refusal) and outcome.reason is RefusalReason.ORIGIN:
            self._refused_origins.note(head)
        return outcome

    def note_refusal(self, refusal: Refusal) -> None:
        """Count a request, or a connection, that is refused.

        Args:
            refusal: the answer to it.
        """
        self._metrics.connections_refused += 1
        self._metrics.refusals.note(refusal.reason)
