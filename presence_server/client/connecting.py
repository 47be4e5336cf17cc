"""``connect()``: a client for as long as a block runs."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

import anyio

from .address import Opener, parse_address
from .client import PresenceClient
from .token_keeper import GetToken
from .values import ProfileFields, check_board_id, check_token


class Profile(ProfileFields, total=False):
    """The profile of a user, on servers that let users name themselves.

    Every key is optional, and so is every value; the server fills in what is missing. The
    specification has the rule of each in section 1.
    """

    user_id: str | None


@asynccontextmanager
async def connect(
    server: str,
    board_id: str,
    *,
    token: str | None = None,
    get_token: GetToken | None = None,
    session_id: str | None = None,
    give_up_after_s: float = 300.0,
    buffer_size: int = 1024,
    tls_context: ssl.SSLContext | None = None,
    open_stream: Opener | None = None,
    rng: random.Random | None = None,
    **profile: Unpack[Profile],
) -> AsyncIterator[PresenceClient]:
    """Be on a board for as long as the block runs, then leave it.

    The block starts once the client has joined or stands in the queue. The client
    reconnects by itself after a lost connection, and resumes its session where the server
    still has it.

    Args:
        server: ``host:port`` or a URL.
        board_id: The board.
        token: A JWT, on servers that decide by tokens who a user is.
        get_token: Gives a fresh JWT instead: called before each connection, and before the
            token expires. With it a token that was refused is not final; the client asks
            again, until several fresh ones were refused.
        session_id: A session to resume.
        give_up_after_s: How long to try to reconnect, in seconds, each time.
        buffer_size: How many events may wait to be read; after that the oldest are dropped.
        tls_context: For a server with a certificate of its own.
        open_stream: Opens the stream to the server, instead of a socket: one of AnyIO, or on
            Trio one of Trio.
        rng: Chooses the jitter of the delays.
        **profile: Who this is; see :class:`Profile`.

    Yields:
        The client.

    Raises:
        PresenceClosed: The server cannot be reached or does not let this user in.
        ValueError: ``server`` is not an address, ``board_id`` not the id of a board, or a header
            cannot carry the token.
    """
    address = parse_address(server)
    client = PresenceClient(
        address,
        check_board_id(board_id),
        {name: value for name, value in profile.items() if isinstance(value, str)},
        token=check_token(token) if token else None,
        get_token=get_token,
        session_id=session_id,
        give_up_after_s=give_up_after_s,
        buffer_size=buffer_size,
        open_stream=open_stream or address.opener(tls_context),
        rng=rng or random.Random(),  # noqa: S311 - jitter is not a secret
    )
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(client.run)
            try:
                await client.wait_until_welcome()
                yield client
            finally:
                try:
                    with anyio.CancelScope(shield=True):
                        await client.leave()
                finally:
                    # asyncio's own cancel() goes through a shield, when it is called once more.
                    client.abandon()
                    group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # The task group is a detail of this function: its caller sees the error alone.
        if len(errors.exceptions) > 1:
            raise
        raise errors.exceptions[0] from errors.exceptions[0].__cause__
