"""The sections of the settings but ``auth``: names, defaults, ranges and meanings.

Source: section 9 of the protocol. A default is written here and nowhere else.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ..protocol.avatar_hosts import checked_host
from .values import Count, DatabaseUrl, Duration, Grace, Hosts, Processes, RedisUrl, Section


class ServerSettings(Section):
    """Where to listen, and how to stop."""

    host: Hosts = Field(
        ("127.0.0.1",),
        description='Address to listen on, or a list; "::" is every address, of IPv4 too.',
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tls_certfile: Path | None = Field(
        None, description="PEM file of the certificate chain; with it the port speaks TLS."
    )
    tls_keyfile: Path | None = Field(
        None, description="PEM file of the private key, if the certificate file does not hold it."
    )
    drain_timeout_s: Grace = Field(
        10, description="Seconds over which the return of clients is spread after SIGTERM."
    )
    processes: Processes = Field(
        1, description='Processes that share the boards, or "auto": one for each core.'
    )
    stall_timeout_s: Duration = Field(
        10, description="Seconds after which one of several processes that hangs is replaced."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks whose X-Forwarded-For counts."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.tls_keyfile is not None and self.tls_certfile is None:
            raise ValueError("server.tls_keyfile needs server.tls_certfile")
        return self

    @property
    def trusted_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """``trusted_proxies`` as networks, to look up addresses in."""
        return tuple(ipaddress.ip_network(name, strict=False) for name in self.trusted_proxies)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return all(is_loopback(host) for host in self.host)


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine; DNS is not asked."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class DatabaseSettings(Section):
    """Where sessions outlive a restart."""

    url: DatabaseUrl = Field(
        "sqlite:///var/presence.db",
        repr=False,
        description="sqlite:///relative/path, sqlite:////absolute/path or postgresql://...",
    )
    required: bool = Field(
        False, description="Refuse to start without the database, instead of serving from memory."
    )
    join_wait_s: Duration = Field(
        0.25,
        description="Seconds a join waits for its row to be durable before it goes on from memory.",
    )
    retention_days: float = Field(
        30,
        ge=0,
        le=36_600,
        description="Closed sessions older than this are deleted, and profiles without one.",
    )
    documents: bool = Field(
        True, description="Whether Yjs documents are stored; else they live as long as their board."
    )


class DocumentsSettings(Section):
    """Documents that clients edit with Yjs."""

    enabled: bool = Field(True, description="Whether clients may speak Yjs.")
    max_bytes: int = Field(16_777_216, ge=1024, le=2**28, description="Largest document, in bytes.")
    max_total_bytes: int = Field(
        10_737_418_240,
        ge=0,
        le=2**50,
        description="Bytes of all stored documents beyond which no new document is stored.",
    )
    retention_days: float = Field(
        0,
        ge=0,
        le=36_600,
        description="Documents that nobody opened for so many days are deleted; 0 keeps them.",
    )
    helper_memory_bytes: int = Field(
        2_147_483_648,
        ge=2**28,
        le=2**40,
        description="Memory that the process which merges documents may take, in bytes.",
    )


class RedisSettings(Section):
    """Where other services read who is present."""

    url: RedisUrl | None = Field(
        None, repr=False, description="redis://..., or nothing for a cache inside the process."
    )


class CacheSettings(Section):
    """The snapshot of each live board."""

    ttl_s: Duration = Field(60, description="Seconds a snapshot lives unless it is refreshed.")


class BoardSettings(Section):
    """The rules of a board."""

    capacity: Count = Field(100, description="Distinct users a board holds.")
    heartbeat_interval_s: Duration = Field(30, description="Seconds between heartbeats.")
    timeout_s: Duration = Field(
        300, description="Seconds without a sign of life that end a session."
    )
    idle_after_s: Duration = Field(
        60, description="Seconds without activity that make a user idle."
    )
    away_after_s: Duration = Field(
        180, description="Seconds without activity that make a user away."
    )
    leave_grace_s: Grace = Field(
        2, description="Seconds a page may take to reload before the others see a leave."
    )
    reconnecting_after_s: Grace = Field(
        5, description="Seconds after a drop until a user shows as disconnected."
    )
    reclaim_after_s: Grace = Field(
        45, description="Seconds after a drop until a user in the queue may take the seat."
    )
    cursor_interval_ms: float = Field(
        50, gt=0, le=60_000, description="Milliseconds between two messages about cursors."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if self.idle_after_s >= self.away_after_s:
            problems.append(
                f"board.idle_after_s ({self.idle_after_s:g}) must be less than"
                f" board.away_after_s ({self.away_after_s:g})"
            )
        if self.timeout_s < 2 * self.heartbeat_interval_s:
            problems.append(
                f"board.timeout_s ({self.timeout_s:g}) must be at least twice"
                f" board.heartbeat_interval_s ({self.heartbeat_interval_s:g})"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


class QueueSettings(Section):
    """The queue of a full board."""

    enabled: bool = Field(True, description="Whether there is a queue; without it: BOARD_FULL.")
    limit: int = Field(1000, ge=0, le=1_000_000, description="Users who may wait for one board.")
    total_limit: int = Field(
        25_000, ge=0, le=10_000_000, description="Users who may wait for all boards together."
    )
    grace_s: Grace = Field(
        30, description="Seconds a dropped connection keeps its place in the queue."
    )
    watch: bool = Field(True, description="Whether clients that wait may watch the board.")
    watch_limit: int = Field(
        100, ge=0, le=1_000_000, description="Clients that may watch one board while they wait."
    )


class ProfileSettings(Section):
    """The looks that users may have."""

    avatar_hosts: tuple[str, ...] = Field(
        ("*",),
        description='Hosts that avatars may come from, "*.example.com" too; "*" allows all.',
    )

    @field_validator("avatar_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_host(host) for host in value)


class LimitsSettings(Section):
    """The limits of one client."""

    max_message_bytes: int = Field(
        65_536, ge=64, le=2**30, description="Largest frame or message a client may send."
    )
    max_binary_bytes: int = Field(
        16_777_216, ge=1024, le=2**30, description="Largest binary message (Yjs)."
    )
    binary_per_s: float = Field(
        500,
        gt=0,
        le=1_000_000,
        description="Binary messages (Yjs) a second and session; more are read more slowly.",
    )
    binary_burst: Count = Field(1000, description="Binary messages at once, per session.")
    unfinished_bytes: int = Field(
        268_435_456,
        ge=65_536,
        le=2**40,
        description="Bytes of unfinished messages, of all connections; beyond them reading pauses.",
    )
    messages_per_s: float = Field(
        50, gt=0, le=1_000_000, description="Messages a second and connection, sustained."
    )
    burst: Count = Field(100, description="Messages at once, per connection.")
    max_connections: Count = Field(15_000, description="Connections to this server.")
    connections_per_ip: Count = Field(
        10_000,
        description="Connections from one address, and as many sessions that it dropped.",
    )
    sessions_per_user: Count = Field(
        100, description="Sessions of one user on one board, those that dropped included."
    )
    connects_per_s: float = Field(
        1000,
        gt=0,
        le=1_000_000,
        description="New connections a second from one address; a request head counts once more "
        "for each full 4096 bytes of it.",
    )
    connects_burst: Count = Field(6000, description="New connections at once from one address.")
    outbox_bytes: int = Field(
        1_048_576, ge=1024, le=2**30, description="Bytes that may wait for a slow client."
    )
    write_timeout_s: Duration = Field(
        10, description="Seconds in which a client that has something to read must read some."
    )
    ping_interval_s: Duration = Field(20, description="Seconds between pings.")
    ping_timeout_s: Duration = Field(20, description="Seconds to answer a ping.")
    handshake_timeout_s: Duration = Field(
        10, description="Seconds to send the request head, or a message."
    )


class LoggingSettings(Section):
    """The log on stderr."""

    level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info", description="debug, info, warning, error or critical."
    )
    format: Literal["console", "json"] | None = Field(
        None, description="console or json; unset: console on a terminal, else json."
    )

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value
