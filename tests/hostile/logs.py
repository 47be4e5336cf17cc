"""The log of a server in this process, on the level that says most."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import structlog

from presence_server.logs import configure_logging

Style = Literal["console", "json"]


@contextmanager
def logged(style: Style) -> Iterator[io.StringIO]:
    """What ``presence-server serve`` would log at debug."""
    stream = io.StringIO()
    with _restored():
        configure_logging("debug", style, stream)
        yield stream


@contextmanager
def everything_logged() -> Iterator[list[tuple[str, str]]]:
    """What anybody says at debug, libraries too, before secrets are cut out; who, and what."""
    handler = _Everything()
    with _restored():
        configure_logging("debug")
        logging.root.handlers[:] = [handler]
        for logger in _loggers():
            logger.setLevel(logging.DEBUG)
        yield handler.said


class _Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.name, self.format(record)))


@contextmanager
def _restored() -> Iterator[None]:
    handlers = logging.root.handlers[:]
    levels = {logger: logger.level for logger in _loggers()}
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers
        for logger in _loggers():
            logger.setLevel(levels.get(logger, logging.NOTSET))
        logging.captureWarnings(False)
        structlog.reset_defaults()


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
