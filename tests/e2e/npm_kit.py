"""The npm package, installed as an application does it, and the examples built with it."""

from __future__ import annotations

import fcntl
import functools
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import programs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
# The machine may be busy: npm, TypeScript and Vite are programs of their own.
WITHIN_S = 300


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    """Run a program in a folder; what it wrote.

    Args:
        folder: the working directory.
        command: the program and its arguments.
        environment: variables beside those of this process.

    Raises:
        AssertionError: it failed.
    """
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Workshop:
    """A folder with the installed package, the frameworks, and the examples."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "node_modules" / "presence-server-client"

    def build(self, name: str, **environment: str) -> None:
        """Build an example for the browser."""
        vite = _packages() / "vite" / "bin" / "vite.js"
        # Relative addresses, because the pages are served below folders.
        mode = environment.get("NODE_ENV", "production")
        run(self.folder / name, "node", vite, "build", "--base=./", "--mode", mode, **environment)

    def check_types(self, name: str) -> None:
        """Have TypeScript check an example."""
        run(self.folder / name, ROOT / ".ci/types/node_modules/.bin/tsc", "--noEmit")


def workshop(factory: pytest.TempPathFactory) -> Workshop:
    """The workshop of this run, which all its workers share; the first one makes it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # Each worker has a folder of its own below that of the run.
    made = Workshop(base / "workshop")
    with (base / "workshop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.folder / "done").exists():
            _furnish(made)
            (made.folder / "done").touch()
    return made


def _packages() -> Path:
    folder = programs.framework_packages()
    assert folder is not None
    return folder / "node_modules"


def _furnish(made: Workshop) -> None:
    folder = made.folder
    folder.mkdir()
    run(ROOT, "sh", ROOT / ".ci" / "make-npm", folder)
    (tarball,) = folder.glob("*.tgz")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run(folder, "npm", "install", "--offline", "--no-audit", "--no-fund", tarball)
    yjs = programs.yjs_packages()
    assert yjs is not None
    peers = [yjs / "node_modules" / name for name in ("yjs", "y-protocols", "lib0")]
    for package in [*_packages().iterdir(), *peers]:
        # Folders of scopes, too: npm has put none of them there.
        if not package.name.startswith("."):
            (folder / "node_modules" / package.name).symlink_to(package)
    for example in EXAMPLES.iterdir():
        if example.is_dir():
            ignored = shutil.ignore_patterns("node_modules", "dist")
            shutil.copytree(example, folder / example.name, ignore=ignored)
    made.build("typescript")
    # React mounts twice in StrictMode, but only where it is built for development.
    made.build("react", NODE_ENV="development")
    made.build("vue")
    made.build("svelte")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """Serve a folder to browsers, at an origin of its own; its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
