"""Hypercorn on streams of ours: one answer a connection, and no peer that holds it up."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from hypercorn.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Scope,
)

from presence_server.transport.http.hypercorn_server import (
    ANSWER_TIMEOUT_S,
    HURRIED_TIMEOUT_S,
    MAX_CONCURRENT,
    MAX_PER_ADDRESS,
    READ_TIMEOUT_S,
    WAIT_TIMEOUT_S,
    HttpServer,
    ReplayStream,
)
from tests.transport.gateway_kit import RawClient

Clock = trio.testing.MockClock

REQUEST = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"x" * 100_000


class Web:
    """Answers every request with a large body, or as a test wants it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.fails = False

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        assert scope["type"] == "http"
        self.paths.append(scope["path"])
        if self.fails:
            raise RuntimeError("a bug in the web application")
        headers = [(b"content-length", str(len(BODY)).encode())]
        await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=headers))
        await send(HTTPResponseBodyEvent(type="http.response.body", body=BODY, more_body=False))


@pytest.fixture
async def sock() -> AsyncIterator[trio.socket.SocketType]:
    """Where Hypercorn looks for addresses; nothing is sent through it."""
    one, two = trio.socket.socketpair()
    yield one
    one.close()
    two.close()


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    data = b""
    while more := await stream.receive_some(65536):
        data += more
    return data


async def test_a_request_whose_head_was_read_is_answered_and_the_stream_closed(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    web = Web()
    ours, theirs = trio.testing.memory_stream_pair()
    begin = trio.current_time()
    nursery.start_soon(HttpServer(web).serve, theirs, sock, REQUEST)
    head, _, body = (await read_all(ours)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in head.lower()
    assert b"server:" not in head.lower()
    assert body == BODY
    assert trio.current_time() == begin, "the end came with a timeout"


async def test_over_a_socket_too_the_answer_ends_the_connection(nursery: trio.Nursery) -> None:
    # In real time: a socket half-closes behind a checkpoint, where a memory stream does not.
    one, two = trio.socket.socketpair()
    peer = trio.SocketStream(two)
    nursery.start_soon(HttpServer(Web()).serve, trio.SocketStream(one), one, REQUEST)
    async with peer:
        with trio.fail_after(READ_TIMEOUT_S / 2):
            assert (await read_all(peer)).endswith(BODY)


async def test_a_second_request_on_the_connection_is_not_served(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    web = Web()
    ours, theirs = trio.testing.memory_stream_pair()
    second = b"GET /b HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    await ours.send_all(second)
    nursery.start_soon(HttpServer(web).serve, theirs, sock, REQUEST)
    answer = await read_all(ours)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(BODY)
    assert web.paths == ["/a"]


async def test_a_peer_that_never_reads_is_given_up(
    autojump_clock: Clock, sock: trio.socket.SocketType
) -> None:
    _ours, theirs = trio.testing.lockstep_stream_pair()
    begin = trio.current_time()
    await HttpServer(Web()).serve(theirs, sock, REQUEST)
    assert trio.current_time() == pytest.approx(begin + ANSWER_TIMEOUT_S)


async def test_a_peer_that_takes_its_answer_a_byte_at_a_time_is_given_up_too(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def dripping(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await send(HTTPResponseStartEvent(type="http.response.start", status=200, headers=[]))
        for _ in range(1000):
            await send(HTTPResponseBodyEvent(type="http.response.body", body=b"x", more_body=True))

    async def sip() -> None:
        while await ours.receive_some(1):  # noqa: ASYNC110 - it is slow, and waits for nothing
            await trio.sleep(0.5)

    begin = trio.current_time()
    nursery.start_soon(sip)
    await HttpServer(dripping).serve(theirs, sock, REQUEST)
    assert trio.current_time() == pytest.approx(begin + ANSWER_TIMEOUT_S)


async def test_peers_that_never_read_have_less_time_while_others_wait_for_their_turn(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    server = HttpServer(Web())
    for number in range(2 * MAX_CONCURRENT):
        _ours, silent = trio.testing.lockstep_stream_pair()
        nursery.start_soon(server.serve, silent, sock, REQUEST, 0, f"10.0.0.{number % 64}")
    begin = trio.current_time()
    await trio.testing.wait_all_tasks_blocked()
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(server.serve, theirs, sock, REQUEST, 0, "10.0.1.1")
    assert (await read_all(ours)).endswith(BODY)
    assert trio.current_time() == pytest.approx(begin + 2 * HURRIED_TIMEOUT_S)


async def test_peers_of_one_address_that_never_read_are_felt_by_no_other_address(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    server = HttpServer(Web())
    for _ in range(2 * MAX_CONCURRENT):
        _ours, silent = trio.testing.lockstep_stream_pair()
        nursery.start_soon(server.serve, silent, sock, REQUEST, 0, "10.0.0.1")
    begin = trio.current_time()
    await trio.testing.wait_all_tasks_blocked()
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(server.serve, theirs, sock, REQUEST, 0, "10.0.0.2")
    assert (await read_all(ours)).endswith(BODY)
    assert trio.current_time() == begin


async def test_a_request_that_gets_no_turn_is_given_up(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    async def hanging(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await trio.sleep_forever()

    server = HttpServer(hanging)
    for _ in range(MAX_PER_ADDRESS):
        _ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(server.serve, theirs, sock, REQUEST)
    await trio.testing.wait_all_tasks_blocked()
    ours, theirs = trio.testing.memory_stream_pair()
    begin = trio.current_time()
    await server.serve(theirs, sock, REQUEST)
    assert await read_all(ours) == b""
    assert trio.current_time() == pytest.approx(begin + WAIT_TIMEOUT_S)


async def test_turns_are_given_back(autojump_clock: Clock, sock: trio.socket.SocketType) -> None:
    server = HttpServer(Web())
    for _ in range(2 * MAX_CONCURRENT):
        ours, theirs = trio.testing.memory_stream_pair()
        await server.serve(theirs, sock, REQUEST)
        assert (await read_all(ours)).endswith(BODY)


async def test_a_peer_that_half_closes_behind_its_request_gets_its_answer(
    autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
) -> None:
    async def slow(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await trio.sleep(1)
        await Web()(scope, receive, send)

    ours, theirs = trio.testing.memory_stream_pair()
    await ours.send_eof()
    nursery.start_soon(HttpServer(slow).serve, theirs, sock, REQUEST)
    assert (await read_all(ours)).endswith(BODY)


async def test_a_peer_that_never_reads_does_not_hold_up_the_shutdown(
    autojump_clock: Clock, sock: trio.socket.SocketType
) -> None:
    _ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(HttpServer(Web()).serve, theirs, sock, REQUEST)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
        begin = trio.current_time()
    assert trio.current_time() == begin


async def test_a_peer_that_does_not_finish_its_request_is_given_up(
    autojump_clock: Clock, sock: trio.socket.SocketType
) -> None:
    _ours, theirs = trio.testing.memory_stream_pair()
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"

    async def reads_it(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with trio.fail_after(60):
        await HttpServer(reads_it).serve(theirs, sock, head, 3)


async def test_a_bug_in_the_application_stays_in_its_request(
    autojump_clock: Clock,
    nursery: trio.Nursery,
    sock: trio.socket.SocketType,
    caplog: pytest.LogCaptureFixture,
) -> None:
    web = Web()
    web.fails = True
    server = HttpServer(web)
    with caplog.at_level(logging.ERROR):
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(server.serve, theirs, sock, REQUEST)
        assert (await read_all(ours)).startswith(b"HTTP/1.1 500")
    web.fails = False
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(server.serve, theirs, sock, REQUEST)
    assert (await read_all(ours)).startswith(b"HTTP/1.1 200")


class TestReplay:
    async def test_gives_what_was_read_first_and_then_the_body_and_then_nothing(
        self, autojump_clock: Clock, sock: trio.socket.SocketType
    ) -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        replay = ReplayStream(theirs, sock, b"first", 6)
        await ours.send_all(b"secondGET / HTTP/1.1")
        await ours.send_all(b"\r\n\r\n")
        await ours.send_eof()
        assert await replay.receive_some(4) == b"first"
        assert await replay.receive_some(4) == b"seco"
        assert await replay.receive_some(4) == b"nd"
        with trio.move_on_after(1000) as patience:
            await replay.receive_some(4)
        assert patience.cancelled_caught

    async def test_gives_the_end_in_the_middle_of_a_body(
        self, autojump_clock: Clock, sock: trio.socket.SocketType
    ) -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        replay = ReplayStream(theirs, sock, b"", 6)
        await ours.send_all(b"seco")
        await ours.send_eof()
        assert await replay.receive_some() == b"seco"
        assert await replay.receive_some() == b""

    async def test_ends_for_who_reads_when_it_is_closed(
        self, autojump_clock: Clock, nursery: trio.Nursery, sock: trio.socket.SocketType
    ) -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        replay = ReplayStream(theirs, sock, b"", 0)
        await ours.send_eof()

        async def close_later() -> None:
            await trio.testing.wait_all_tasks_blocked()
            await replay.aclose()

        nursery.start_soon(close_later)
        assert await replay.receive_some() == b""

    async def test_writes_through_and_half_closes(
        self, autojump_clock: Clock, sock: trio.socket.SocketType
    ) -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        replay = ReplayStream(theirs, sock, b"", 0)
        await replay.wait_send_all_might_not_block()
        await replay.send_all(b"out")
        await replay.send_eof()
        assert await RawClient(ours).read_until(b"ut") == b"o"
        assert await ours.receive_some(100) == b""

    async def test_says_that_a_peer_does_not_read(
        self, autojump_clock: Clock, sock: trio.socket.SocketType
    ) -> None:
        _ours, theirs = trio.testing.lockstep_stream_pair()
        with pytest.raises(trio.BrokenResourceError):
            await ReplayStream(theirs, sock, b"", 0).send_all(b"x")
