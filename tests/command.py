"""The program under test: how to start it, and which commands it takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from presence_server.cli import cli

PROGRAM = os.environ.get("SERVER_UNDER_TEST") and Path(os.environ["SERVER_UNDER_TEST"]).absolute()
"""The program to test in place of this checkout's package, if the variable names one."""


def server_command(*words: str) -> list[str]:
    """The command line of a ``presence-server`` command.

    ``make test-binary`` runs the tests of this checkout against the single file by it.
    """
    start = [str(PROGRAM)] if PROGRAM else [sys.executable, "-m", "presence_server"]
    return [*start, *words]


def server_pid(started: int) -> int:
    """The process that serves: a child of the one that was started, for the single file.

    Args:
        started: the process id of a command that has begun to serve.
    """
    children = Path(f"/proc/{started}/task/{started}/children")
    if PROGRAM and (found := children.read_text().split()):
        return int(found[0])
    return started


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
