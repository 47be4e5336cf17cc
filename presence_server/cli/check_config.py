"""``presence-server check-config``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import config_option, read_settings


@click.command()
@config_option
def check_config(config_path: Path | None) -> None:
    """Check the settings without serving.

    Exits with 0, or with 2 and every problem on a line of its own.
    """
    settings = read_settings(config_path)
    from ..server.listening import tls_context

    tls_context(settings)
    click.echo("the settings are fine")
