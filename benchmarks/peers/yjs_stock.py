"""Work 12: stock providers of y-websocket, which send every awareness message back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.process import Shares, Watch
from tests.programs import yjs_packages

PROVIDERS = 100
MOVES_PER_S = 20
_SCRIPT = Path(__file__).with_name("yjs_stock.mjs")


class Stock(Struct, frozen=True):
    """All providers move their cursors; they are one process of Node.

    Attributes:
        rounds: how often everybody has moved.
        due: how often everybody should have moved.
        seen: how many of one provider's moves another one saw.
        p99_ms: from such a move to the other one seeing it.
        client_cpu: cores that the providers took.
    """

    rounds: int
    due: int
    seen: int
    p99_ms: float | None
    client_cpu: float
    shares: Shares


def missing() -> str:
    """Why there are no stock providers here; empty if there are."""
    if yjs_packages() is None:
        return "no stock providers: npm ci --prefix .ci/yjs"
    return ""


def measure(target: Target, seconds: float) -> Stock:
    """Everybody moves for a while.

    Args:
        target: the server.
        seconds: how long.

    Raises:
        RuntimeError: the providers did not come as far as that.
    """
    node, packages = shutil.which("node"), yjs_packages()
    assert node is not None
    with target.running(board__capacity=PROVIDERS) as subject:
        url = f"ws://{subject.host}:{subject.port}/yjs"
        words = [node, str(_SCRIPT), str(packages), url, str(PROVIDERS), str(MOVES_PER_S)]
        process = subprocess.Popen([*words, str(seconds)], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            watch = shares = None
            for line in process.stdout:
                if line.strip() == "begin":
                    watch = Watch(subject)
                elif line.strip() == "end" and watch is not None:
                    shares = watch.shares()
                elif shares is not None:
                    return Stock(**json.loads(line), shares=shares)
            raise RuntimeError("the providers ended too early")
        finally:
            process.kill()
            process.wait()
