"""This server and its peers: how each is started, and whether it is here."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from benchmarks.peers.dialect import Dialect, Relayed, SocketIo
from benchmarks.peers.process import running_peer, running_presence_server
from benchmarks.peers.yjs_dialect import HocuspocusDialect, YjsDialect
from benchmarks.subject import Subject

NODE = Path(__file__).parent / "servers" / "node"
OURS = "presence-server"
YJS_WORKS = range(8, 15)
"""Works of clients that speak Yjs; the others have the peers that relay text."""


class Target(Struct, frozen=True):
    """One server.

    Attributes:
        script: the module or file that is run; empty for this server.
        packages: whose versions are told; the first is the peer itself.
        boards: where the search of work 3 begins.
    """

    name: str
    title: str
    dialect: Dialect
    script: str
    packages: tuple[str, ...]
    boards: float = 0.4

    @property
    def is_node(self) -> bool:
        """Whether it runs on Node."""
        return self.script.endswith(".cjs")

    def missing(self) -> str:
        """Why it cannot be measured here; empty if it can."""
        if self.is_node and shutil.which("node") is None:
            return "no node here"
        try:
            self.versions()
        except (ImportError, LookupError, OSError):
            how = "npm" if self.is_node else "pip"
            return f"{self.packages[0]} is not installed ({how} could not, or was not asked to)"
        return ""

    def versions(self) -> dict[str, str]:
        """Versions of what it is made of.

        Raises:
            ImportError: a Python package is not installed.
            LookupError: a package of Node has no version.
            OSError: a package of Node, or Node itself, is not installed.
        """
        if self.is_node:
            found = {name: _node_version(name) for name in self.packages}
            return found | {"node": _output("node", "--version").lstrip("v")}
        return {name: importlib.metadata.version(name) for name in self.packages}

    def running(self, **settings: object) -> AbstractContextManager[Subject]:
        """A server process; settings are for this server only."""
        if not self.script:
            return running_presence_server(**settings)
        if self.is_node:
            return running_peer(["node", str(NODE / self.script)])
        return running_peer([sys.executable, "-m", f"benchmarks.peers.servers.{self.script}"])


TARGETS = (
    Target(OURS, "presence-server", Dialect(), "", ("presence-server", "trio", "websockets"), 24),
    Target("uws", "uWebSockets (socketify)", Relayed(), "uws_socketify", ("socketify",), 2),
    Target("picows", "picows", Relayed(), "picows_asyncio", ("picows", "uvloop")),
    Target("websockets", "websockets", Relayed(), "websockets_asyncio", ("websockets",)),
    Target("ws", "ws (Node)", Relayed(), "ws.cjs", ("ws",)),
    Target("socketio-node", "Socket.IO (Node)", SocketIo(), "socketio.cjs", ("socket.io",)),
    Target(
        "socketio",
        "python-socketio on uvicorn",
        SocketIo(),
        "socketio_uvicorn",
        ("python-socketio", "uvicorn", "uvloop"),
        0.2,
    ),
    Target(
        "hypercorn",
        "Quart-Trio on Hypercorn",
        Relayed(),
        "quart_hypercorn",
        ("hypercorn", "quart", "quart-trio"),
        0.1,
    ),
)


YJS_TARGETS = (
    Target(OURS, "presence-server", YjsDialect(), "", ("presence-server", "trio", "pycrdt")),
    Target("y-websocket", "y-websocket", YjsDialect(), "y-websocket.cjs", ("y-websocket", "yjs")),
    Target(
        "hocuspocus",
        "Hocuspocus",
        HocuspocusDialect(),
        "hocuspocus.cjs",
        ("@hocuspocus/server", "yjs"),
    ),
    Target(
        "pycrdt-websocket",
        "pycrdt-websocket on uvicorn",
        YjsDialect(),
        "pycrdt_websocket",
        ("pycrdt-websocket", "pycrdt", "uvicorn", "uvloop"),
    ),
)
ALL_TARGETS = (*TARGETS, *YJS_TARGETS[1:])


def targets_of(work: int) -> tuple[Target, ...]:
    """The servers of a work, this one first.

    Args:
        work: its number.
    """
    return YJS_TARGETS if work in YJS_WORKS else TARGETS


def _node_version(name: str) -> str:
    package = NODE / "node_modules" / name / "package.json"
    return str(json.loads(package.read_text())["version"])


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
