"""Reads ``presence-server`` commands out of documents and files, without running them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from presence_server.cli import cli


def assert_command_parses(words: Sequence[str]) -> None:
    """Whether commands, options and arguments, without the program's name, are taken.

    Raises:
        AssertionError: they are not; says why.
    """
    try:
        _parse(cli, list(words))
    except click.exceptions.Exit:
        return  # --help, --version
    except click.UsageError as error:
        raise AssertionError(f"presence-server {' '.join(words)}: {error.message}") from None


def _parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    context = command.make_context(command.name, words, parent=parent)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, arguments = command.resolve_command(context, rest)
        assert found is not None, name
        _parse(found, arguments, context)
