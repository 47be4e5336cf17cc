"""``presence-server config example``."""

from __future__ import annotations

import click

from .shipped import shipped_file


@click.group()
def config() -> None:
    """Help with the file of settings."""


@config.command()
def example() -> None:
    """Print every setting with its default and its meaning, as a TOML file."""
    text = shipped_file("config", "example.toml").read_text(encoding="utf-8")
    click.echo(text, nl=False)
