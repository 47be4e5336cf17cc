"""``presence-server migrate up|down|status``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .options import config_option, database_option, read_settings


@click.group()
def migrate() -> None:
    """Create or change the tables. The server does "up" when it starts."""


@migrate.command()
@database_option
@config_option
def up(database: str | None, config_path: Path | None) -> None:
    """Bring the tables to this release."""
    from ..storage.migrate import upgrade

    status = upgrade(_url(database, config_path))
    click.echo(f"at revision {status.current}")


@migrate.command()
@click.argument("revision", default="-1")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@config_option
def down(revision: str, yes: bool, database: str | None, config_path: Path | None) -> None:
    """Go back to REVISION, or by one; "base" drops all tables.

    Data in the newer tables is lost. Asks first; refuses while a server uses the database.
    """
    from ..storage.migrate import downgrade
    from ..storage.url import parse_url

    url = _url(database, config_path)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("this may delete every session and its history; add --yes")
        shown = parse_url(url).shown
        question = f"Go back to {revision} in {shown}? Sessions and history may be lost."
        click.confirm(question, abort=True)
    status = downgrade(url, revision)
    click.echo(f"at revision {status.current}" if status.current else "no tables left")


@migrate.command()
@database_option
@config_option
def status(database: str | None, config_path: Path | None) -> int:
    """Print the revision of the tables. Exits with 1 if "up" has something to do."""
    from ..storage.migrate import status as read_status

    found = read_status(_url(database, config_path))
    here = f"at revision {found.current}" if found.current else "no tables"
    if found.up_to_date:
        click.echo(f"{here}: up to date")
        return 0
    click.echo(f"{here}: this release needs {found.newest}")
    return 1


def _url(database: str | None, config_path: Path | None) -> str:
    return read_settings(config_path, database__url=database).database.url
