"""Options that several commands share, and the settings they lead to."""

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
    "--database", metavar="URL", help="sqlite:///file or postgresql://…; wins over all else."
)


def read_settings(config_path: Path | None, **overrides: object) -> Settings:
    """The settings of a command; ``section__key=value`` overrides, None does not.

    Raises:
        SettingsError: with every problem.
    """
    given = {
        name.replace("__", "."): value for name, value in overrides.items() if value is not None
    }
    return load_settings(config_path, given)
