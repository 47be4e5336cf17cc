"""``presence-server check-config``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import config_option, read_settings


@click.command()
@config_option
def check_config(config_path: Path | None) -> None:
    """Find everything in the settings that "serve" would refuse.

    Asks no store, and opens no port.

    Exits with 0, or with 2 and every problem on a line of its own.
    """
    settings = read_settings(config_path)
    import trio

    from ..server import check

    trio.run(check, settings)
    click.echo("the settings are fine")
