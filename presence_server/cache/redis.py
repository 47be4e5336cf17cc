"""The cache in Redis, where other services read ``presence:{board_id}``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import SplitResult, parse_qsl, urlsplit

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from typing_extensions import override

from .base import Cache, CacheError, CacheRefused, CacheUnavailable

_CONNECTIONS = 4
_DISCONNECT_S = 0.5

_PARAMETERS = frozenset(
    {"client_name", "db", "health_check_interval", "password", "protocol", "socket_keepalive"}
    | {"username"}
)
"""Parameters that the URL may have; the others of redis-py are set here, or break the cache."""

_TLS_PARAMETERS = frozenset(
    {"ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname"}
    | {"ssl_keyfile"}
)
"""Parameters that ``rediss://`` URLs may have, too."""


def check_redis_url(url: str) -> str:
    """Return ``redis.url`` without its password, for messages.

    Raises:
        CacheError: it is not the URL of a Redis; the text names the setting.
    """
    before_at, at, _ = url.partition("://")[2].rpartition("@")
    if at and any(mark in before_at for mark in "/?#"):
        # These characters end the login for every reader of URLs, and the rest would be logged.
        raise CacheError("redis.url: write / ? # @ in a user or password as %2F %3F %23 %40")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise CacheError(f"redis.url: not a URL ({error}); {_USE}") from None
    if "," in (parts.hostname or ""):
        raise CacheError(f"redis.url: names more than one host; {_USE}")
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise CacheError(f"redis.url: {parts.scheme[:60]!r} is not a Redis scheme; {_USE}")
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise CacheError(f"redis.url: names no host; {_USE}")
    _check_parameters(parts)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _check_parameters(parts: SplitResult) -> None:
    number = "" if parts.scheme == "unix" else parts.path.strip("/")
    if number and not number.isdecimal():
        raise CacheError(f"redis.url: {number[:60]!r} is not the number of a database; {_USE}")
    known = _PARAMETERS | (_TLS_PARAMETERS if parts.scheme == "rediss" else frozenset())
    seen = set()
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise CacheError(
                f"redis.url: the parameter {name[:60]!r} is not one of {', '.join(sorted(known))}"
            )
        if name in seen:
            raise CacheError(f"redis.url: the parameter {name!r} is given twice")
        seen.add(name)


_HOPELESS = {
    "DB index is out of range": "it has no database of that number",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; name its roots in ssl_ca_certs",
    "WRONG_VERSION_NUMBER": "it speaks no TLS; use redis://",
}
"""Parts of the error texts that come again with every call."""

_USE = "use redis://:password@host:6379/0, rediss://… for TLS, or unix:///path/to.sock"


class RedisCache(Cache):
    """Keeps the lists in Redis. The first call connects.

    Args:
        url: ``redis.url``.
        ttl_s: how long a list lives, in seconds.
        operation_s: about how long a call may take, in seconds.
    """

    def __init__(self, url: str, ttl_s: float, *, operation_s: float = 2.0) -> None:
        self._shown = check_redis_url(url)
        # Heroku and Celery write the names that Python's ssl module has.
        self._url = re.sub(r"(?<=ssl_cert_reqs=)CERT_\w+", lambda m: m[0][5:].lower(), url)
        self._ttl_ms = max(1, round(ttl_s * 1000))
        self._operation_s = operation_s
        self._clients: dict[asyncio.AbstractEventLoop, Redis] = {}
        self._check_values()

    @override
    async def set_many(self, boards: Mapping[str, bytes]) -> None:
        async with self._connected() as client:
            pipeline = client.pipeline(transaction=False)
            for board_id, users in boards.items():
                pipeline.set(_key(board_id), users, px=self._ttl_ms)
            await pipeline.execute()

    @override
    async def delete_many(self, board_ids: Sequence[str]) -> None:
        async with self._connected() as client:
            if board_ids:
                await client.delete(*map(_key, board_ids))

    @override
    async def get(self, board_id: str) -> bytes | None:
        async with self._connected() as client:
            found = await client.get(_key(board_id))
            return found if isinstance(found, bytes) else None

    @override
    async def identity(self) -> str:
        async with self._connected() as client:
            try:
                info = await client.info("server")
            except exceptions.NoPermissionError:
                # A user without the right to INFO can still check that Redis answers.
                await client.ping()
                return "redis"
            return str(info.get("run_id", "redis"))

    @override
    async def aclose(self) -> None:
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Redis]:
        try:
            async with asyncio.timeout(self._operation_s):
                yield self._of_this_loop()
        except Exception as error:
            # redis-py raises ValueError, TypeError and others when it reads what no Redis sends.
            await self._disconnect()
            raise self._diagnose(error) from error

    async def _disconnect(self) -> None:
        """Close the connections that are not in use.

        After a failover the old primary may keep its connections and refuse all writes, while
        its address leads new ones to the new primary.
        """
        client = self._clients.get(asyncio.get_running_loop())
        if client is not None:
            with suppress(Exception):
                async with asyncio.timeout(_DISCONNECT_S):
                    await client.connection_pool.disconnect(inuse_connections=False)

    def _of_this_loop(self) -> Redis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            # A connection cannot change its loop, and those of a closed loop are dead.
            self._clients = {k: c for k, c in self._clients.items() if not k.is_closed()}
            client = self._clients[loop] = Redis.from_pool(self._new_pool())
        return client

    def _new_pool(self) -> BlockingConnectionPool:
        return BlockingConnectionPool.from_url(
            self._url,
            max_connections=_CONNECTIONS,
            timeout=self._operation_s,
            socket_timeout=self._operation_s,
            socket_connect_timeout=self._operation_s,
            # One more try at once, since an idle connection may be dead unnoticed.
            retry=Retry(NoBackoff(), 1),
        )

    def _check_values(self) -> None:
        """Let redis-py read the URL; it connects to nothing.

        Raises:
            CacheError: a parameter of the URL cannot work.
        """
        try:
            connection = self._new_pool().make_connection()  # type: ignore[no-untyped-call]
            if isinstance(connection, SSLConnection):
                connection.ssl_context.get()
        except (ValueError, TypeError, OSError, exceptions.RedisError) as error:
            names = ", ".join(name for name, _ in parse_qsl(urlsplit(self._url).query))
            line = _without_arguments(str(error))
            raise CacheError(f"redis.url: {self._shown} cannot work ({names}): {line}") from None

    def _diagnose(self, error: Exception) -> CacheError:
        line = _without_arguments(str(error))
        if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError) or (
            line.startswith(("NOAUTH", "WRONGPASS"))
        ):
            refusal = CacheRefused if urlsplit(self._url).password else CacheError
            return refusal(
                f"redis.url: {self._shown} refuses the login: {line}; "
                "put the password into the URL: redis://:password@host:6379/0"
            )
        if isinstance(error, exceptions.NoPermissionError):
            return CacheError(
                f"redis.url: the user lacks rights: {line}; "
                "allow SET, GET, DEL, PING and INFO on presence:*"
            )
        if isinstance(error, exceptions.ClusterDownError | exceptions.AskError) and not isinstance(
            error, exceptions.MasterDownError
        ):
            return CacheError(
                f"redis.url: {self._shown} cannot work: it is a node of a Redis cluster; "
                "name a Redis that is none"
            )
        for sign, reason in _HOPELESS.items():
            if sign in line:
                return CacheError(f"redis.url: {self._shown} cannot work: {reason}")
        if isinstance(error, TimeoutError | exceptions.TimeoutError):
            # A Redis without TLS waits for the rest of what it takes for a command.
            hint = "; does it speak TLS?" if self._shown.startswith("rediss:") else ""
            return CacheUnavailable(f"redis.url: {self._shown} does not answer in time{hint}")
        if not isinstance(error, OSError | exceptions.RedisError):
            return CacheUnavailable(
                f"redis.url: {self._shown} does not answer like a Redis ({type(error).__name__})"
            )
        return CacheUnavailable(f"redis.url: {self._shown}: {line or type(error).__name__}")


def _without_arguments(text: str) -> str:
    """One line of an error, without the command's arguments: they hold names of users.

    redis-py writes the command into the errors of a pipeline, and Redis the arguments of a
    command that it does not know.
    """
    line = " ".join(text.rpartition("of pipeline caused error:")[2].split())
    return line.partition(", with args beginning")[0][:200]


def _key(board_id: str) -> str:
    return f"presence:{board_id}"
