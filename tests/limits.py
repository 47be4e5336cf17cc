"""Limits for tests: the defaults of the settings, with changes by name."""

from __future__ import annotations

from typing import Any

import msgspec

from presence_server.protocol.model import BoardLimits
from presence_server.server.wiring import gateway_limits, session_limits
from presence_server.server.wiring import yjs_limits as yjs_limits_of
from presence_server.settings import Settings
from presence_server.transport.gate.addresses import AddressLimits
from presence_server.transport.sessions.connections import YjsLimits
from presence_server.transport.sessions.room_entry import RoomEntryLimits
from presence_server.transport.wire.connection_limits import ConnectionLimits

_DEFAULTS = Settings.of({})
_GATEWAY, _SESSION = gateway_limits(_DEFAULTS), session_limits(_DEFAULTS)


def board_limits(**changes: Any) -> BoardLimits:
    """The limits of one board."""
    return msgspec.structs.replace(_DEFAULTS.board_limits(), **changes)


def connection_limits(**changes: Any) -> ConnectionLimits:
    """The limits of one connection."""
    return msgspec.structs.replace(_SESSION.connection, **changes)


def address_limits(**changes: Any) -> AddressLimits:
    """The limits of one address."""
    return msgspec.structs.replace(_GATEWAY.addresses, **changes)


def room_entry_limits(**changes: Any) -> RoomEntryLimits:
    """The limits of all boards' sessions together."""
    return msgspec.structs.replace(_SESSION.room_entry, **changes)


def yjs_limits(**changes: Any) -> YjsLimits:
    """The limits of the binary messages of one connection."""
    return msgspec.structs.replace(yjs_limits_of(_DEFAULTS), **changes)
