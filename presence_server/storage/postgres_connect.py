"""Connecting to PostgreSQL, directly or through a pooler such as PgBouncer.

A pooler may give each transaction another connection to the server. So nothing is set for a
session, and no statement has a name: both would be gone, or would reach another client.
"""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
from typing_extensions import override

from .limits import EngineLimits
from .url import StoreUrl

SQLALCHEMY_ARGUMENTS = {"prepared_statement_cache_size": 0}
"""``connect_args`` of an engine whose statements have no names."""


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
    """Make the function that connects to PostgreSQL.

    asyncpg reads the URL itself, so that it may hold what libpq knows (sslmode, lists of hosts).
    """
    # When the network cuts PostgreSQL off from us, our row locks end soon.
    longest_ms = max(1, round(limits.operation_s * 2000))

    async def connect(**_unused: object) -> TimedConnection:
        connection: TimedConnection = await asyncpg.connect(
            url.dsn,
            timeout=limits.connect_s,
            command_timeout=limits.operation_s,
            statement_cache_size=0,
            connection_class=TimedConnection,
            server_settings={"application_name": "presence-server"},
        )
        connection.begin_with = (
            f"SET LOCAL statement_timeout = {longest_ms};"
            f"SET LOCAL idle_in_transaction_session_timeout = {longest_ms};"
        )
        return connection

    return connect
