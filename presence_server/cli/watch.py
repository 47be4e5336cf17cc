"""``presence-server watch``."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import trio

from ..settings import load_server_settings
from ..waiting import Doorbell
from .interruption import run_until_signal
from .options import config_option

if TYPE_CHECKING:
    from ..client import PresenceClient

REDRAW_S = 0.1


@click.command()
@click.argument("board")
@click.option("--server", metavar="URL", help="Default: the server of the settings.")
@click.option("--user", metavar="ID", help="User id to connect as; default: a new one.")
@click.option("--name", default="watch", show_default=True, help="Name to show.")
@click.option("--token", metavar="JWT", help="Token for a server that needs one.")
@click.option("--token-file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
def watch(
    board: str,
    server: str | None,
    user: str | None,
    name: str,
    token: str | None,
    token_file: Path | None,
    config_path: Path | None,
) -> int:
    """Show who is on BOARD, live: a list on a terminal, else a line for each event.

    The watcher is a user of the board: it takes a seat, and others see it.
    """
    where = server or local_url(config_path)
    who = user or f"watch-{secrets.token_hex(4)}"

    async def read_token() -> str:
        assert token_file is not None
        return (await trio.Path(token_file).read_text(encoding="utf-8")).strip()

    async def follow_board() -> None:
        # Here, so that `serve` does not load the client and its libraries.
        from ..client import connect

        async with connect(
            where,
            board,
            user_id=who,
            display_name=name,
            token=token,
            # The file is read again for each connection: its token may have been replaced.
            get_token=read_token if token_file else None,
        ) as client:
            await follow(client, sys.stdout)

    return run_until_signal(follow_board)


def local_url(config_path: Path | None) -> str:
    """The address, on this machine, of the server that these settings start."""
    settings = load_server_settings(config_path)
    host = settings.host[0].strip("[]")
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    scheme = "https" if settings.tls_certfile else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def follow(client: PresenceClient, out: TextIO) -> None:
    """Write a client's board to ``out`` until the client is closed."""
    from . import picture

    if not out.isatty():
        async for event in client:
            line = picture.line_of(event)
            if line is not None:
                out.write(f"{line}\n")
                out.flush()
        return
    async with trio.open_nursery() as nursery:
        changed = Doorbell()

        async def redraw() -> None:
            while True:
                out.write(picture.CLEAR + picture.screen(client))
                out.flush()
                await changed.wait()
                # Otherwise a busy board would redraw the terminal without a pause.
                await trio.sleep(REDRAW_S)

        nursery.start_soon(redraw)
        async for _ in client:
            changed.ring()
        nursery.cancel_scope.cancel()
