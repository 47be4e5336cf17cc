"""Makes the service of Yjs documents of the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from ..documents.helper import Helper, launch_process
from ..documents.memory_store import MemoryDocuments
from ..documents.ports import DocumentLimits
from ..documents.service import DocumentService
from ..frozen import own_command
from ..presence.service import PresenceService
from ..settings import Settings

_DAY_MS = 86_400_000

CALL_S = 15.0
"""The seconds of CPU in which the helper process answers one request, or ends itself."""

FINISH_S = 0.3
"""Seconds for the updates under way when the server stops, before the last writes."""


def document_service(settings: Settings, presence: PresenceService) -> DocumentService | None:
    """The service; None with ``documents.enabled = false``."""
    documents = settings.documents
    if not documents.enabled:
        return None
    words = {
        "--memory-bytes": documents.helper_memory_bytes,
        "--call-s": CALL_S,
        "--max-bytes": documents.max_bytes,
    }
    command = own_command("document-helper", *(str(w) for pair in words.items() for w in pair))
    helper = Helper(partial(launch_process, command))
    limits = DocumentLimits(
        max_total_bytes=documents.max_total_bytes,
        retention_ms=round(documents.retention_days * _DAY_MS),
    )
    if not settings.database.documents:
        memory = MemoryDocuments(_call_soon)
        return DocumentService(memory, helper, limits, memory.forget)
    service = DocumentService(presence.documents, helper, limits)
    presence.on_retention(service.delete_unused)
    return service


async def finish(service: DocumentService) -> None:
    """Give the store what is under way, for :data:`FINISH_S` at most."""
    with trio.move_on_after(FINISH_S):
        await service.finish()


def _call_soon(callback: Callable[[], None]) -> None:
    trio.lowlevel.current_trio_token().run_sync_soon(callback)
