"""Start in order, serve, drain, and stop in reverse order.

Lifetimes are nested: the process holds the services, the services outlive the rooms, and
the rooms outlive the connections. When the server stops, the inner ones get a deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import trio
from typing_extensions import override

from ..presence.sharing import StoreShare
from ..presence.stack import PresenceStack, open_presence
from ..protocol.errors import PresenceError
from ..settings import Settings
from .listening import ListeningAddress, Port, address_of, open_listeners, tls_context
from .serving import ServingStatus, serve_store
from .standby import Standby

log = structlog.get_logger(__name__)


async def serve(
    settings: Settings,
    *,
    stop: trio.Event | None = None,
    on_status: Callable[[str], None] = lambda _text: None,
    task_status: trio.TaskStatus[ListeningAddress] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set, then drain; or until cancelled, without a drain.

    While another server owns the database, the port is open and answers that this server waits.

    Args:
        settings: all of them.
        stop: begins the drain.
        on_status: gets one line for the service manager when the server begins to wait or serve.
        task_status: gets the bound :class:`ListeningAddress` once the server serves or waits.

    Raises:
        PresenceError: the server cannot start; its text is one line for the operator.
    """
    stop = trio.Event() if stop is None else stop
    tls = tls_context(settings)
    # Checked before the port is opened: a setting that cannot work is reported as such.
    stack = open_stack(settings)
    listeners = await open_listeners(settings)
    status = _Status(address_of(listeners[0], tls), on_status, task_status)
    port = Port(listeners, tls)
    try:
        with one_error():
            while True:
                standby = Standby(port, settings.limits.handshake_timeout_s)
                await serve_store(settings, stack, port, stop, status, standby)
                if stop.is_set():
                    return
                stack = open_stack(settings)
    finally:
        port.close()


def open_stack(settings: Settings, share: StoreShare | None = None) -> PresenceStack:
    """Make the store and the cache of the settings.

    Args:
        settings: all of them.
        share: the part of this process, if several processes share the store.

    Raises:
        PresenceError: a URL cannot be one.
    """
    return open_presence(
        database_url=settings.database.url,
        redis_url=settings.redis.url,
        cache_ttl_s=settings.cache.ttl_s,
        retention_days=settings.database.retention_days,
        database_required=settings.database.required,
        share=share,
    )


class _Status(ServingStatus):
    """Tells the log, the service manager and the caller what the server does.

    Args:
        address: where the server listens.
        on_status: gets a line for the service manager.
        task_status: gets the address with the first line.
    """

    def __init__(
        self,
        address: ListeningAddress,
        on_status: Callable[[str], None],
        task_status: trio.TaskStatus[ListeningAddress],
    ) -> None:
        self._address = address
        self._on_status = on_status
        self._task_status = task_status
        self._has_started = False

    @override
    def waits(self) -> None:
        log.info("waiting for the owner of the database", url=self._address.url)
        self._tell("waiting for the owner")

    @override
    def serves(self) -> None:
        log.info("listening", url=self._address.url)
        self._tell(f"Serving {self._address.url}")

    def _tell(self, line: str) -> None:
        self._on_status(line)
        if not self._has_started:
            self._has_started = True
            self._task_status.started(self._address)


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the one ``PresenceError`` inside an exception group: the operator gets one line.

    Raises:
        PresenceError: the first one, if the group holds nothing else.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        errors, rest = group.split(PresenceError)
        if errors is None or rest is not None:
            raise
        raise _first_leaf(errors) from None


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
