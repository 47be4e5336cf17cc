"""``presence-server unit``: the systemd unit for where the program stands."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from ..frozen import Form, program_path, running_form
from .shipped import shipped_file

PROGRAM_IN_UNIT = "/opt/presence-server/bin/presence-server"
"""The path in ``deploy/presence-server.service``."""

_HEADER = """\
# Printed by `presence-server unit`. Copy to /etc/systemd/system/presence-server.service.
# Settings: `presence-server config example` > /etc/presence-server/config.toml.
"""

_FOR_THE_FILE = """\
Type=notify
# The program unpacks itself and runs the server as its child, which reports to systemd ...
NotifyAccess=all
# ... and to which it passes signals on; a second SIGTERM would end the drain.
KillMode=mixed
"""

_HIDDEN_BY_UNIT = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - compared
"""Folders that the unit hides from the server (``ProtectHome``, ``PrivateTmp``)."""


@click.command()
def unit() -> None:
    """Print the systemd unit that starts this program from where it is."""
    program = program_path()
    click.echo(unit_text(program, running_form()), nl=False)
    hidden = next((place for place in _HIDDEN_BY_UNIT if program.is_relative_to(place)), None)
    if hidden is not None:
        click.echo(
            f"presence-server: the unit hides {hidden} from the server; "
            "move the program, to /usr/local/bin for example, and print the unit again",
            err=True,
        )


def unit_text(program: Path, form: Form, user: str | None = None) -> str:
    """The unit for a program.

    Args:
        program: its absolute path.
        form: the single file needs lines of its own.
        user: who runs it; without one, systemd makes up a user while it runs.
    """
    text = shipped_file("deploy", "presence-server.service").read_text(encoding="utf-8")
    _, _, body = text.partition("\n\n")
    body = body.replace(f"ExecStart={PROGRAM_IN_UNIT}", f"ExecStart={_quoted(program)}")
    if form is Form.FILE:
        body = body.replace("Type=notify\n", _FOR_THE_FILE)
    if user is not None:
        body = body.replace("DynamicUser=yes\n", f"User={user}\nGroup={user}\n")
    return f"{_HEADER}\n{body}"


def _quoted(program: PurePosixPath | Path) -> str:
    """A path as ``ExecStart=`` takes it: systemd.syntax(7), "Quoting"."""
    text = str(program).replace("%", "%%").replace("$", "$$")
    if any(character in text for character in " \t\"'\\;"):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text
