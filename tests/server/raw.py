"""TCP connections to a server, for what no client library would send."""

from __future__ import annotations

import ssl
from typing import NamedTuple, cast

import trio

from presence_server.server import ListeningAddress
from tests.server.kit import PATIENCE_S
from tests.transport.gateway_kit import RawClient


class Answer(NamedTuple):
    """An HTTP response; the names of its headers are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def talk(address: ListeningAddress, *, receive_buffer: int | None = None) -> RawClient:
    """A connection on which nothing has been said.

    ``receive_buffer`` is how many bytes the system takes for a client that does not read.
    """
    sock = trio.socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_buffer)
    await sock.connect((address.host, address.port))
    return RawClient(trio.SocketStream(sock))


async def talk_tls(address: ListeningAddress, trust: ssl.SSLContext) -> RawClient:
    """The same over TLS, which half-closes nothing."""
    tcp = await trio.open_tcp_stream(address.host, address.port)
    stream = trio.SSLStream(tcp, trust, server_hostname=address.host, https_compatible=True)
    return RawClient(cast("trio.abc.HalfCloseableStream", stream))


async def ask(address: ListeningAddress, request: bytes, *, half_closes: bool = False) -> Answer:
    """Send a request and read the answer.

    With ``half_closes`` the client's side ends behind the request.
    """
    visitor = await talk(address)
    async with visitor.stream:
        with trio.fail_after(PATIENCE_S):
            await visitor.send(request)
            if half_closes:
                await visitor.stream.send_eof()
            return await read_answer(visitor)


async def read_answer(visitor: RawClient, *, has_body: bool = True) -> Answer:
    """Read one answer, to the end of the connection where it says that it closes.

    ``has_body`` is false for the answer to HEAD.
    """
    head = await visitor.read_until(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    number = int(status.split(" ")[1])
    if not has_body or number == 304:
        body = b""
    elif number == 101 or headers.get("connection") == "close":
        body = await visitor.rest()
    else:
        body = await visitor.read_exactly(int(headers["content-length"]))
    return Answer(number, headers, body)


def plain(first_line: str, *lines: str) -> bytes:
    """A request without a body."""
    return "\r\n".join([first_line, "Host: x", *lines, "", ""]).encode("latin-1")
