"""The server as the web application sees it, if it has several processes.

A request about one board is at the board's process. The others are about all boards: the process
that answers asks the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog
from typing_extensions import override

from ..transport.gate.siblings import Siblings
from ..web.ports import BoardSummary, Readiness, Unavailable
from .metrics_of_all import ProcessNumbers, added, system_numbers, text_of_all
from .place import Place
from .web_view import WebView

log = structlog.get_logger(__name__)

_BOARDS, _READY, _NUMBERS = "boards", "ready", "numbers"
_WORST_FIRST = ("draining", "starting", "waiting", "degraded", "ready")

_boards = msgspec.msgpack.Decoder(list[BoardSummary])
_ready = msgspec.msgpack.Decoder(Readiness)
_numbers = msgspec.msgpack.Decoder(ProcessNumbers)


class ViewOfAll(WebView):
    """Answers for all processes; :meth:`join` says which they are."""

    _siblings: Siblings
    _place: Place
    _inherited: ProcessNumbers

    def join(self, siblings: Siblings, place: Place) -> None:
        """Answer with the other processes from now on, and answer their questions.

        Args:
            siblings: the other processes.
            place: of this process.
        """
        self._siblings = siblings
        self._place = place
        self._inherited = self._noted(place.directory.slot)
        siblings.on_asked = self._answer

    @override
    async def boards(self) -> Sequence[BoardSummary]:
        found = self.own_boards()
        for answer in (await self._siblings.ask(_BOARDS)).values():
            if answer is None:
                raise Unavailable("a process does not answer")
            found += _boards.decode(answer)
        return found

    @override
    async def ready(self) -> Readiness:
        own = self.own_readiness()
        found = [own]
        for answer in (await self._siblings.ask(_READY)).values():
            # A process that is replaced just now serves again in a moment.
            missing = Readiness("degraded", own.database, own.cache)
            found.append(missing if answer is None else _ready.decode(answer))
        return Readiness(
            min((part.status for part in found), key=_WORST_FIRST.index),
            "down" if any(part.database == "down" for part in found) else "ok",
            "down" if any(part.cache == "down" for part in found) else "ok",
        )

    @override
    async def metrics_text(self) -> bytes:
        parts = {self._place.directory.slot: self._own_numbers()}
        for slot, answer in (await self._siblings.ask(_NUMBERS)).items():
            parts[slot] = self._noted(slot) if answer is None else _numbers.decode(answer)
        return text_of_all(parts)

    def _answer(self, about: str) -> bytes:
        """Answer a question of another process."""
        if about == _BOARDS:
            return msgspec.msgpack.encode(self.own_boards())
        if about == _READY:
            return msgspec.msgpack.encode(self.own_readiness())
        return msgspec.msgpack.encode(self._own_numbers())

    def _own_numbers(self) -> ProcessNumbers:
        """The numbers of this process and those before it in its slot, which are noted."""
        self.gather_counters()
        found = self._metrics.numbers()
        found.counters["handovers"] = self._siblings.handed_over
        found = added([found, self._inherited.numbers])
        # The supervisor counts these over all processes of the slot.
        found.counters["process_restarts"] = self._place.restarts
        part = ProcessNumbers(found, system_numbers())
        if not self._place.notes.write(
            self._place.directory.slot, msgspec.msgpack.encode(part.lasting())
        ):
            log.warning("the numbers of this process are too many to outlive it")
        return part

    def _noted(self, slot: int) -> ProcessNumbers:
        """The numbers that a slot's process told last."""
        note = self._place.notes.read(slot)
        return _numbers.decode(note) if note else ProcessNumbers(numbers=added([]))
