"""``presence-server serve``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import config_option, database_option, read_settings

LAST_LINES_S = 0.5
"""Seconds to wait for the last lines of the log."""


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", type=int, metavar="PORT", help="Port to listen on; 0 takes a free one.")
@database_option
@click.option("--redis", metavar="URL", help="redis://…; without it, a cache in the process.")
@config_option
def serve(
    host: str | None,
    port: int | None,
    database: str | None,
    redis: str | None,
    config_path: Path | None,
) -> None:
    """Serve boards until SIGTERM or SIGINT, then drain and exit."""
    settings = read_settings(
        config_path,
        server__host=host,
        server__port=port,
        database__url=database,
        redis__url=redis,
    )
    import trio

    from ..log_stream import LogStream, log_uncaught_exceptions
    from ..logs import configure_logging
    from ..server import main

    stream = LogStream.of_stderr()
    configure_logging(settings.logging.level, settings.logging.format, stream)
    log_uncaught_exceptions()
    try:
        trio.run(main, settings)
    finally:
        stream.finish(LAST_LINES_S)
