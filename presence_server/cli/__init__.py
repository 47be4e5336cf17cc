"""The command line (section 11 of the protocol).

A failure is one line on stderr for each problem, never a traceback. The exit code is 2 for a
setting that cannot work, and 75 for trouble that may pass.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ..protocol.errors import PresenceError
from ..settings import SettingsError
from . import (
    check_config,
    config,
    document_helper,
    health,
    load,
    migrate,
    serve,
    token,
    unit,
    version,
    watch,
)

EX_CONFIG_IS_WRONG = 2
"""Exit code for a setting or an option that cannot work: a new attempt changes nothing."""

EX_TEMPFAIL = 75
"""Exit code for trouble that may pass (sysexits.h): deploy/presence-server.service retries."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=version.print_version,
    help="Show the version and the build, and exit.",
)
def cli() -> None:
    """A presence server: it shows live which users are on a board."""


cli.add_command(serve.serve)
cli.add_command(migrate.migrate)
cli.add_command(check_config.check_config)
cli.add_command(config.config)
cli.add_command(unit.unit)
cli.add_command(health.health)
cli.add_command(token.token)
cli.add_command(watch.watch)
cli.add_command(load.load)
cli.add_command(document_helper.document_helper)


def main() -> None:
    """Run the command of this process's arguments, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        result = cli.main(list(arguments), prog_name="presence-server", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except SettingsError as error:
        for problem in error.problems:
            _complain(problem)
        return EX_CONFIG_IS_WRONG
    except PresenceError as error:
        _complain(str(error))
        return EX_TEMPFAIL if error.may_pass else EX_CONFIG_IS_WRONG
    except BrokenPipeError:
        # The reader of our output is gone. Python would print an error while it exits.
        sys.stdout = None
        return 0
    return result if isinstance(result, int) else 0


def _complain(message: str) -> None:
    click.echo(f"presence-server: {' '.join(message.split())}", err=True)
