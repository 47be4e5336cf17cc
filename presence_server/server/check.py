"""Finds what ``serve`` would refuse, by the functions that ``serve`` calls."""

from __future__ import annotations

from ..presence.stack import open_presence
from ..protocol.errors import PresenceError
from ..settings import Settings, SettingsError
from .cores import process_count
from .listening import bind_sockets, tls_context

_SOME_DATABASE = "sqlite:///some.db"


async def check(settings: Settings) -> None:
    """Try each part of the settings. No store is asked, and no port is opened.

    Raises:
        SettingsError: lists every problem that would stop ``serve``.
    """
    problems: list[str] = []
    for attempt in (process_count, _check_tls, _check_database, _check_redis):
        try:
            attempt(settings)
        except PresenceError as error:
            problems += _problems_of(error)
    try:
        for sock in await bind_sockets(settings):
            sock.close()
    except PresenceError as error:
        # Another process may have the port now, perhaps the server itself.
        if not error.may_pass:
            problems += _problems_of(error)
    if problems:
        raise SettingsError(problems)


def _problems_of(error: PresenceError) -> list[str]:
    """The lines of an error for the operator."""
    return error.problems if isinstance(error, SettingsError) else [str(error)]


def _check_tls(settings: Settings) -> None:
    tls_context(settings)


def _check_database(settings: Settings) -> None:
    _open(settings, settings.database.url, None)


def _check_redis(settings: Settings) -> None:
    _open(settings, _SOME_DATABASE, settings.redis.url)


def _open(settings: Settings, database_url: str, redis_url: str | None) -> None:
    """Make the backends of these URLs, which opens nothing."""
    open_presence(
        database_url=database_url,
        redis_url=redis_url,
        cache_ttl_s=settings.cache.ttl_s,
        retention_days=settings.database.retention_days,
        database_required=settings.database.required,
    )
