"""Libraries log statements, parameters, headers and payloads in detail: none of it is shown."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from presence_server.logs import configure_logging

LOGGERS = {
    "aiosqlite": "aiosqlite",
    "alembic": "alembic.runtime.migration",
    "asyncio": "asyncio",
    "hypercorn": "hypercorn.error",
    "quart": "quart.app",
    "redis": "redis.client",
    "sqlalchemy": "sqlalchemy.engine.Engine",
    "trio_asyncio": "trio_asyncio._base",
    "websockets": "websockets.server",
}
"""What is kept quiet, and a logger of it that is in use."""

LEFT_ALONE = {
    "asyncpg": "says one thing, a warning, of pools that we do not use",
    "concurrent": "says that a callback raised, and nothing else",
    "dotenv": "reads files that we do not have",
    "hpack": "is for HTTP/2, which the gateway refuses",
    "pydantic_settings": "is done before the logs are set up",
    "trio": "says nothing under WARNING",
}
"""What else has a logger in a server, and why that may be heard."""

TALK = """
import logging
import presence_server.cli.serve, presence_server.server
from presence_server.logs import configure_logging
from sqlalchemy.ext.asyncio import create_async_engine

for url in ("sqlite+aiosqlite://", "postgresql+asyncpg://here/there"):
    create_async_engine(url)  # Imports the driver.
configure_logging("debug", "json")
for name in list(logging.root.manager.loggerDict):
    logging.getLogger(name).debug("said in detail")
    logging.getLogger(name).info("said in detail")
"""


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    libraries = [logging.getLogger(name) for name in LOGGERS]
    handlers = logging.root.handlers[:]
    levels = [(logger, logger.level) for logger in (logging.root, *libraries)]
    for logger in libraries:
        # As if nobody had set up logs in this process before.
        logger.setLevel(logging.NOTSET)
    yield
    logging.root.handlers[:] = handlers
    for logger, level in levels:
        logger.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.parametrize("threshold", ["debug", "info"])
@pytest.mark.parametrize("library", LOGGERS)
def test_of_a_library_warnings_are_written_and_details_are_not(
    library: str, threshold: str
) -> None:
    stream = io.StringIO()
    configure_logging(threshold, "json", stream)
    structlog.get_logger("presence_server.here").info("ours")
    for name in (library, LOGGERS[library], f"{library}.of.later"):
        logger = logging.getLogger(name)
        for level in (logging.DEBUG, logging.INFO):
            logger.log(level, "INSERT INTO presence VALUES (%r)", "hunter2")
            assert not logger.isEnabledFor(level), "some look before they make the text"
        logger.warning("slow: %s", name)
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    said = [f"slow: {name}" for name in (library, LOGGERS[library], f"{library}.of.later")]
    assert events == ["ours", *said]


@pytest.mark.parametrize("library", LOGGERS)
def test_of_a_library_nothing_is_written_under_a_higher_level(library: str) -> None:
    stream = io.StringIO()
    configure_logging("error", "json", stream)
    logging.getLogger(LOGGERS[library]).warning("slow")
    assert stream.getvalue() == ""


def test_every_library_of_a_server_is_kept_quiet_or_known_to_be_harmless() -> None:
    # In a process of its own: this one has the loggers of test tools, too.
    done = subprocess.run(
        [sys.executable, "-c", TALK], capture_output=True, text=True, timeout=60, check=True
    )
    heard = {json.loads(line)["logger"].partition(".")[0] for line in done.stderr.splitlines()}
    assert "presence_server" in heard, "the level is debug, so there is something to hear"
    assert heard - {"presence_server"} <= LEFT_ALONE.keys()
