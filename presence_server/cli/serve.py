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
@click.option(
    "--processes", metavar="NUMBER", help='Processes that share the boards, or "auto": all cores.'
)
@config_option
def serve(
    host: str | None,
    port: int | None,
    database: str | None,
    redis: str | None,
    processes: str | None,
    config_path: Path | None,
) -> None:
    """Serve boards until SIGTERM or SIGINT, then drain and exit."""
    settings = read_settings(
        config_path,
        server__host=host,
        server__port=port,
        database__url=database,
        redis__url=redis,
        server__processes=processes,
    )
    from ..logs import configure_logging
    from ..server.cores import process_count

    count = process_count(settings)
    if count > 1:
        from ..server.processes import supervise
        from ..server.steady_stream import SteadyStream

        stream_of_lines = SteadyStream.of_stderr()
        configure_logging(settings.logging.level, settings.logging.format, stream_of_lines)
        supervise(settings, count)
        return
    import trio

    from ..log_stream import LogStream, log_uncaught_exceptions
    from ..server import main

    stream = LogStream.of_stderr()
    configure_logging(settings.logging.level, settings.logging.format, stream)
    log_uncaught_exceptions()
    try:
        trio.run(main, settings)
    finally:
        stream.finish(LAST_LINES_S)
