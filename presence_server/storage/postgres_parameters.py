"""Which parameters of a PostgreSQL URL are used, and which are left out for what reason.

Sources: libpq's "Parameter Key Words", the PostgreSQL page of Prisma's connection URLs, the
properties of pgJDBC, SQLAlchemy's asyncpg dialect, pgx and lib/pq, Rails' and Django's URLs.
"""

from __future__ import annotations

from msgspec import Struct

WRITABLE_TARGETS = ("read-write", "primary", "master")
"""Values of ``target_session_attrs`` (libpq) and ``targetServerType`` (JDBC) that can work."""

SETTINGS = frozenset(
    {
        "datestyle",
        "intervalstyle",
        "jit",
        "lock_timeout",
        "role",
        "synchronous_commit",
        "temp_buffers",
        "timezone",
        "work_mem",
    }
)
"""Settings of PostgreSQL that an operator may choose here, in small letters; with them, all
that have a dot in their name."""

NEVER_LEFT_OUT = ("auth", "channel", "gss", "krb", "require", "service", "ssl", "tls")
"""An unknown parameter that begins like this may be a protection that the driver lacks, or one
that is written wrongly, or (``service``) name another database."""


class LeftOut(Struct, frozen=True):
    """Why a parameter is left out.

    Attributes:
        reason: for the operator.
        refused: values with which it must not be left out, in small letters.
    """

    reason: str
    refused: tuple[str, ...] = ()


def _all(names: str, reason: str, *refused: str) -> dict[str, LeftOut]:
    return {name: LeftOut(reason, refused) for name in names.split()}


LEFT_OUT: dict[str, LeftOut] = {
    **_all(
        "channel_binding channelBinding",
        "the driver has no channel binding; sslmode=verify-full makes sure of the database",
    ),
    **_all(
        "keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout"
        " tcpKeepAlive",
        "the server asks the database every 5 s",
    ),
    **_all(
        "gssencmode gssEncMode",
        "the driver has no encryption by GSSAPI; use TLS (sslmode)",
        "require",
    ),
    **_all("krbsrvname gsslib gssdelegation gssapi", "the driver is not given GSSAPI's settings"),
    **_all("sslcompression sslsni", "TLS is never compressed, and always names the host"),
    **_all("sslcertmode", "a certificate is sent if there is one and the database asks", "require"),
    **_all("replication", "the server does not replicate", "true", "on", "yes", "1", "database"),
    **_all("hostaddr", "the name of the host is looked up"),
    **_all("load_balance_hosts loadBalanceHosts", "hosts are tried in their order"),
    **_all("client_encoding encoding charset", "the connection always uses UTF-8"),
    **_all(
        "schema currentSchema search_path schema_search_path",
        "the tables are always in the schema collab",
    ),
    **_all(
        "statement_timeout idle_in_transaction_session_timeout command_timeout socket_timeout"
        " socketTimeout query_timeout loginTimeout transaction_timeout",
        "the server has timeouts of its own",
    ),
    **_all(
        "pgbouncer statement_cache_size prepared_statement_cache_size"
        " prepared_statement_name_func prepared_statements prepareThreshold"
        " preparedStatementCacheQueries preparedStatementCacheSizeMiB default_query_exec_mode"
        " statement_cache_capacity description_cache_capacity binary_parameters"
        " disable_prepared_binary_result preferQueryMode workaround supa statementCacheMode",
        "poolers always work: the server names no statements",
    ),
    **_all(
        "connection_limit pool_timeout pool pool_size max_overflow pool_max_conns pool_min_conns"
        " pool_max_conn_lifetime pool_max_conn_idle_time pool_health_check_period"
        " pool_max_conn_lifetime_jitter pool_recycle pool_pre_ping maximumPoolSize conn_max_age"
        " conn_health_checks checkout_timeout reaping_frequency idle_timeout single_use_connections"
        " max min async_fallback adapter",
        "the server has a pool of its own",
    ),
    **_all("uselibpqcompat", "sslmode always means what it means to libpq"),
}
"""Parameters that change nothing here, or that the driver does not have."""
