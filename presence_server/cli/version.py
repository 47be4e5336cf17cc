"""``presence-server --version``."""

from __future__ import annotations

import json
import platform

import click

from .. import __version__
from ..frozen import running_form
from .shipped import shipped_file


def print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """Print the version and end the command; the callback of an eager option."""
    if wanted and not context.resilient_parsing:
        click.echo(version_text())
        context.exit()


def version_text() -> str:
    """The version, the build, and the versions of what a report of a fault should name."""
    import sqlite3
    import ssl

    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    return (
        f"presence-server {__version__}\n"
        f"{running_form()}, commit {_commit()}, {platform.machine()}\n"
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {openssl}"
    )


def _commit() -> str:
    """The commit that the single file or the folder was built from; a package has no note of it."""
    try:
        about = json.loads(shipped_file("deploy", "build.json").read_text(encoding="utf-8"))
    except OSError:
        return "unknown"
    return str(about["commit"])
