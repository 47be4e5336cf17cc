"""Work 14: what the check of a small update costs, in process."""

from __future__ import annotations

import time

from msgspec import Struct

from benchmarks.peers.yjs_dialect import MARKER, client_of
from presence_server.core.yjs.update import check
from tests.core.yjs.updates import any_item, text, update

_UPDATES = 20_000
_REPEATS = 5


class Checked(Struct, frozen=True):
    """Microseconds an update: of text typed after other text, and of other small updates."""

    typed_us: float
    other_us: float


def measure() -> Checked:
    """Check many small updates; the quickest of a few runs counts."""
    client = client_of("u0001")
    typed = [
        update((client, n, [text(MARKER.decode(), left=(client, n - 1))]))
        for n in range(1, _UPDATES)
    ]
    kinds = [
        lambda n: update((client, n, [text("word", left=(client, n - 1), right=(7, n))])),
        lambda n: update((client, n, [any_item(b"\x77\x02ab", parent="m", key="key")])),
        lambda n: update(deletes=((client, [(n, 3)]),)),
    ]
    other = [kinds[n % len(kinds)](n) for n in range(1, _UPDATES)]
    return Checked(_cost_us(typed), _cost_us(other))


def _cost_us(updates: list[bytes]) -> float:
    found = []
    for _ in range(_REPEATS):
        began = time.process_time()
        for data in updates:
            check(data)
        found.append((time.process_time() - began) / len(updates) * 1e6)
    return min(found)
