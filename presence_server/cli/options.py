"""Options that several commands share, and the settings that result."""

from __future__ import annotations

from pathlib import Path

import click

from ..settings import Settings, load_settings

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file of settings; without it, PRESENCE_CONFIG.",
)
database_option = click.option(
    "--database",
    metavar="URL",
    help="sqlite:///file or postgresql://…; wins over other sources.",
)


def read_settings(config_path: Path | None, **overrides: object) -> Settings:
    """Load the settings of a command.

    Args:
        config_path: the TOML file, or None.
        overrides: options as ``section__key=value``; None leaves the other sources alone.

    Raises:
        SettingsError: lists every problem.
    """
    given = {
        name.replace("__", "."): value for name, value in overrides.items() if value is not None
    }
    return load_settings(config_path, given)
