"""Creates the parts of one server from its settings. Nothing runs yet."""

from __future__ import annotations

import time
from typing import cast

import trio
from hypercorn.typing import ASGIFramework
from msgspec import Struct

from ..documents.service import DocumentService
from ..metrics import Metrics
from ..presence.clock_readings import wall_clock_ms
from ..presence.service import PresenceService
from ..rooms.registry import Registry
from ..settings import Settings
from ..stalls import StallWatch
from ..transport.gate.addresses import AddressLimits
from ..transport.gate.decision import DecisionLimits
from ..transport.gate.gateway import Gateway, GatewayLimits
from ..transport.gate.siblings import Siblings
from ..transport.http.hypercorn_server import HttpServer
from ..transport.sessions.connections import Connections, SessionLimits, YjsLimits
from ..transport.sessions.identity import Anonymous
from ..transport.sessions.limited_avatars import LimitedAvatars
from ..transport.sessions.queue_tickets import QueueTickets
from ..transport.sessions.room_entry import RoomEntryLimits
from ..transport.sessions.tokens import TokenAuthority, TokenVerifier
from ..transport.wire.connection_limits import ConnectionLimits
from ..transport.wire.deadlines import Deadlines
from ..transport.wire.pump import Pump, pump_is_available
from ..web.app import create_app
from ..web.policies import policies
from ..web.static_site import StaticSite
from .documents import document_service
from .place import Place
from .recovery import Recovery
from .view_of_all import ViewOfAll
from .web_view import WebView


class Parts(Struct, frozen=True):
    """The parts that :mod:`.serving` starts and stops."""

    registry: Registry
    recovery: Recovery
    stalls: StallWatch
    deadlines: Deadlines
    pump: Pump | None
    gateway: Gateway
    siblings: Siblings | None
    documents: DocumentService | None


def wire_parts(
    settings: Settings,
    service: PresenceService,
    tickets: QueueTickets,
    place: Place | None = None,
) -> Parts:
    """Connect rooms, transport and web to a presence service.

    Args:
        settings: all of them.
        service: the store and the cache.
        tickets: issues and reads the places in queues.
        place: of this process among several; None: it is the only one.
    """
    metrics = Metrics()
    stalls = StallWatch()
    documents = document_service(settings, service)
    has_yjs = documents is not None
    registry = Registry(settings.board_limits(), service, metrics, wall_epoch_ms, stalls, documents)
    service.on_rows_lost(registry.rewrite)
    service.on_writes_refused(registry.suspend, registry.resume)
    deadlines = Deadlines(registry.batch, stalls)
    pump = Pump(registry.batch) if pump_is_available() else None
    verifier = token_verifier(settings)
    view = WebView if place is None else ViewOfAll
    recovery = Recovery(registry, service)
    sleeping = recovery.sleeping
    ports = view(settings, registry, recovery, service, metrics, verifier, documents)
    connections = Connections(
        registry,
        deadlines,
        LimitedAvatars(
            Anonymous() if verifier is None else TokenAuthority(verifier, metrics.refusals),
            ports.avatar_hosts,
        ),
        session_limits(settings, has_yjs=has_yjs),
        metrics,
        tickets,
        wall_clock_ms,
    )
    gateway = Gateway(
        connections,
        deadlines,
        pump,
        HttpServer(cast("ASGIFramework", create_app(ports))),
        gateway_limits(settings, has_yjs=has_yjs),
        metrics,
        stalls,
        StaticSite(policies(ports.avatar_hosts)),
    )
    ports.is_draining = lambda: gateway.is_draining
    metrics.observe(
        connections=lambda: len(connections),
        boards=lambda: len(registry) + len(sleeping),
        users=lambda: sum(task.room.seats_taken for task in registry) + sleeping.users,
        queue_length=lambda: registry.waiting,
        store_up=lambda: service.database_status == "ok",
        cache_up=lambda: service.cache_status == "ok",
        store_backlog=lambda: service.waiting_writes,
        tasks=lambda: trio.lowlevel.current_statistics().tasks_living,
        timers=lambda: deadlines.alarms + sum(task.room.alarms for task in registry),
    )
    if documents is not None:
        documents.on_waited = metrics.document_stored_seconds.observe
        metrics.observe(
            documents=lambda: len(documents), document_bytes=lambda: documents.total_bytes
        )
        metrics.count(
            document_updates=lambda: documents.updates,
            document_updates_refused=lambda: documents.updates_refused,
            document_helper_restarts=lambda: documents.helper_restarts,
        )
    siblings = None
    if place is not None:
        registry.owns = place.directory.owns
        if documents is not None:
            documents.owns = place.directory.owns
        siblings = _siblings(settings, place, registry)
        gateway.have_siblings(siblings)
        assert isinstance(ports, ViewOfAll)
        ports.join(siblings, place)
    return Parts(registry, recovery, stalls, deadlines, pump, gateway, siblings, documents)


def _siblings(settings: Settings, place: Place, registry: Registry) -> Siblings:
    """The other processes of this server."""
    directory, folder = place.directory, place.folder
    others = (slot for slot in range(directory.slots) if slot != directory.slot)
    links = {slot: folder.link_path(slot) for slot in others}
    return Siblings(directory, links, settings.limits.max_message_bytes, registry.batch)


def token_verifier(settings: Settings) -> TokenVerifier | None:
    """The verifier of tokens; None in mode ``none``."""
    auth = settings.auth
    if auth.mode == "none":
        return None
    return TokenVerifier(
        auth.default_keys,
        auth.keys_by_kid,
        auth.jwt_audience,
        auth.jwt_issuer,
        leeway_s=auth.leeway_s,
    )


def gateway_limits(settings: Settings, *, has_yjs: bool = False) -> GatewayLimits:
    """The bounds of the port (settings sections ``limits``, ``server`` and ``auth``)."""
    limits = settings.limits
    return GatewayLimits(
        addresses=AddressLimits(
            connections_per_ip=limits.connections_per_ip,
            connects_per_s=limits.connects_per_s,
            connects_burst=limits.connects_burst,
            trusted_proxies=settings.server.trusted_networks,
        ),
        decision=DecisionLimits(
            max_connections=limits.max_connections,
            max_message_bytes=limits.max_message_bytes,
            allowed_origins=frozenset(settings.auth.allowed_origins),
            has_yjs=has_yjs,
        ),
        handshake_timeout_s=limits.handshake_timeout_s,
    )


def session_limits(settings: Settings, *, has_yjs: bool = False) -> SessionLimits:
    """The bounds of connections and of their sessions (section ``limits`` and others)."""
    limits = settings.limits
    return SessionLimits(
        connection=ConnectionLimits(
            max_message_bytes=limits.max_message_bytes,
            outbox_bytes=limits.outbox_bytes,
            # A whole document, and as much again of changes meanwhile.
            shared_bytes=2 * settings.documents.max_bytes,
            write_timeout_s=limits.write_timeout_s,
            message_timeout_s=limits.handshake_timeout_s,
            ping_interval_s=limits.ping_interval_s,
            ping_timeout_s=limits.ping_timeout_s,
        ),
        room_entry=RoomEntryLimits(
            max_waiting=settings.queue.total_limit,
            detached_per_ip=limits.connections_per_ip,
            detached_s=settings.board.timeout_s,
        ),
        messages_per_s=limits.messages_per_s,
        burst=limits.burst,
        yjs=yjs_limits(settings) if has_yjs else None,
    )


def yjs_limits(settings: Settings) -> YjsLimits:
    """The bounds of binary messages (section ``limits``)."""
    limits = settings.limits
    return YjsLimits(
        limits.max_binary_bytes,
        limits.binary_per_s,
        limits.binary_burst,
        limits.unfinished_bytes,
    )


def wall_epoch_ms() -> int:
    """Milliseconds since the epoch at scheduling time zero, by the wall clock of now."""
    return round((time.time() - trio.current_time()) * 1000)
