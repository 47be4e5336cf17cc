"""The programs beside Python that some tests need, and where they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> Path | None:
    """The browser: ``CHROMIUM`` from the environment, else what is on the PATH."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, _CHROMIUM)), None)
    return Path(found) if found else None


def firefox() -> Path | None:
    """The other browser: ``FIREFOX`` from the environment, else what is on the PATH."""
    named = os.environ.get("FIREFOX")
    found = named or shutil.which("firefox-esr") or shutil.which("firefox")
    return Path(found) if found else None


def postgres(program: str = "postgres") -> Path | None:
    """A program of the PostgreSQL server; Debian keeps them off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    if debian:
        return debian[-1]
    found = shutil.which(program)
    return Path(found) if found else None


def pgbouncer() -> Path | None:
    """PgBouncer; Debian keeps it where the PATH of many users does not lead."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    return Path(found) if found else None


def _npm_packages(name: str) -> Path | None:
    """A folder of ``.ci`` whose packages ``.ci/test-needs`` installs by npm, if they are there."""
    folder = Path(__file__).resolve().parents[1] / ".ci" / name
    # npm writes this file last.
    is_installed = (folder / "node_modules" / ".package-lock.json").exists()
    return folder if is_installed and shutil.which("node") else None


def yjs_packages() -> Path | None:
    """The folder of the stock clients of Yjs."""
    return _npm_packages("yjs")


def assets_packages() -> Path | None:
    """The folder of what makes the bundle of the browser's modules."""
    return _npm_packages("assets")


def framework_packages() -> Path | None:
    """The folder of the frameworks that the npm package has layers for, and of Vite."""
    return _npm_packages("frameworks")


def axe_packages() -> Path | None:
    """The folder of axe-core, which looks for what is not accessible."""
    return _npm_packages("axe")


def redis_server() -> Path | None:
    """redis-server, if there is one."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


def caddy() -> Path | None:
    """Caddy, if there is one."""
    found = shutil.which("caddy")
    return Path(found) if found else None


def nginx() -> Path | None:
    """nginx; Debian keeps it where the PATH of many users does not lead."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return Path(found) if found else None
