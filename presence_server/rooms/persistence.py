"""Hands what a room wants to keep to the store and the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import assert_never

import structlog

from ..core.effects import (
    CloseRow,
    InsertRow,
    PlaceBegan,
    PlaceEnded,
    Publish,
    SaveHeartbeats,
    SaveProfile,
    SaveRows,
)
from ..protocol.messages import encode_users
from .ports import Store

ToStore = (
    InsertRow
    | SaveRows
    | SaveProfile
    | SaveHeartbeats
    | CloseRow
    | PlaceBegan
    | PlaceEnded
    | Publish
)
"""The effects of a room that are for the store and the cache."""

log = structlog.get_logger(__name__)
is_debugging = partial(logging.getLogger(__name__).isEnabledFor, logging.DEBUG)
"""Asked before a line for debugging is built, which is many times cheaper."""


def persist(effect: ToStore, store: Store, on_committed: Callable[[str], None]) -> None:
    """Note one effect in the store, which writes it later.

    Args:
        effect: the state to keep.
        store: keeps it.
        on_committed: called later with the id of an inserted session, once its row is durable.
    """
    match effect:
        case InsertRow():
            session_id = effect.record.session_id
            store.join(effect.record, effect.profile, lambda: on_committed(session_id))
        case SaveRows():
            for record in effect.records:
                store.update_status(record)
        case SaveProfile():
            store.update_profile(effect.board_id, effect.session_id, effect.profile, effect.at_ms)
        case SaveHeartbeats():
            for session_id, at_ms in effect.beats:
                store.heartbeat(effect.board_id, session_id, at_ms)
        case CloseRow():
            store.disconnect(effect.board_id, effect.session_id, effect.at_ms)
            if is_debugging():
                log.debug("session ended", board=effect.board_id, session=effect.session_id)
        case PlaceBegan():
            store.mark_queue(effect.board_id, "", effect.at_ms)
        case PlaceEnded():
            store.mark_queue(effect.board_id, effect.user_id, effect.at_ms)
        case Publish():
            users = encode_users(list(effect.users)) if effect.users else None
            store.publish(effect.board_id, users)
        case _:
            assert_never(effect)
