"""Connecting to PostgreSQL, directly or through a pooler such as PgBouncer.

A pooler may give each transaction another connection to the server. So nothing is set for a
session, and no statement has a name: both would be gone, or would reach another client.
"""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
from typing_extensions import override

from .limits import EngineLimits
from .postgres_tls import TlsContexts
from .postgres_url import PostgresTarget
from .url import StoreUrl


class TimedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that limits each of its transactions in time.

    Attributes:
        begin_with: statements that each ``BEGIN`` takes along, in the same round trip.
    """

    begin_with = ""

    @override
    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Execute a statement; asyncpg begins transactions with this call, too."""
        if query.startswith("BEGIN"):
            query += self.begin_with
        status: str = await super().execute(query, *args, timeout=timeout)
        return status


def postgres_creator(url: StoreUrl, limits: EngineLimits) -> Callable[..., object]:
    """Make the function that connects to PostgreSQL."""
    assert url.postgres is not None
    connector = _Connector(url.postgres, limits)

    async def connect(**_unused: object) -> TimedConnection:
        return await connector.connect()

    return connect


class _Connector:
    """Tries the hosts in their order, beginning with the one that worked last."""

    def __init__(self, target: PostgresTarget, limits: EngineLimits) -> None:
        self._target = target
        self._limits = limits
        self._hosts = list(target.hosts)
        self._tls = TlsContexts(target.tls)
        bound = min(target.connect_s or limits.connect_s, limits.connect_s)
        self._host_s = bound / len(self._hosts)
        """Seconds for one host: one that swallows packets must leave time for the others."""

    async def connect(self) -> TimedConnection:
        failure: Exception | None = None
        for host in list(self._hosts):
            try:
                connection = await self._connect_to(*host)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # The reason of the first host that answers at all says more.
                if failure is None or isinstance(failure, OSError):
                    failure = error
                continue
            self._hosts.remove(host)
            self._hosts.insert(0, host)
            return connection
        assert failure is not None
        raise failure

    async def _connect_to(self, host: str, port: int) -> TimedConnection:
        target, limits = self._target, self._limits
        is_socket = host.startswith("/")
        connection: TimedConnection = await asyncpg.connect(
            host=[host],
            port=[port],
            user=target.user,
            password=target.password,
            database=target.database,
            passfile=target.passfile,
            ssl=None if is_socket else self._tls.current() or target.tls.mode,
            direct_tls=target.tls.direct and not is_socket,
            target_session_attrs="read-write" if target.wants_writable else "any",
            timeout=self._host_s,
            command_timeout=limits.operation_s,
            # A statement without a name. SQLAlchemy keeps what it knows of each, so that asyncpg
            # sends text and values together: one round trip, as with a name.
            statement_cache_size=0,
            connection_class=TimedConnection,
            server_settings=target.startup,
        )
        # When the network cuts PostgreSQL off from us, our row locks end soon.
        longest_ms = max(1, round(limits.operation_s * 2000))
        settings = {
            **target.settings,
            "statement_timeout": str(longest_ms),
            "idle_in_transaction_session_timeout": str(longest_ms),
        }
        connection.begin_with = "".join(
            f"SET LOCAL {name} = {_quoted(value)};" for name, value in settings.items()
        )
        return connection


def _quoted(text: str) -> str:
    """A literal of PostgreSQL, whatever ``standard_conforming_strings`` is."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
