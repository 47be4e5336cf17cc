"""Log events: one line each on stderr, without secrets.

An event is one line, whatever library wrote it and whatever it holds. Tokens, secrets and
passwords are cut out before the line is written.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Literal, Protocol

import structlog
from structlog.typing import Processor

_LIBRARIES = (
    "aiosqlite",
    "alembic",
    "asyncio",
    "hpack",
    "hypercorn",
    "push_response",  # of redis-py
    "quart",
    "redis",
    "sqlalchemy",
    "trio-websocket",
    "trio_asyncio",
    "websockets",
)
"""Libraries that log statements, headers and payloads on levels below WARNING."""

_SECRET_KEYS = frozenset(
    {
        *("authorization", "body", "cookie", "jwt", "password", "payload", "secret"),
        *("session_id", "token"),
    }
)
_SECRETS = (
    # In a query, an argument or attribute in a repr, JSON or a dict.
    (
        re.compile(
            r"(?i)((?:token|jwt|secret|password|session_id)(?:=|[\"']:\s?))"
            r"(?:\"[^\"\n]*\"?|'[^'\n]*'?|[^&\s\"',)}\]]+)"
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"(?i)\b(bearer)[ .]{1,8}[\w.~+/=-]+"), r"\1 [redacted]"),
    # A JWT anywhere in the text.
    (re.compile(r"(?<![\w-])eyJ[\w-]{1,4096}\.[\w-]{1,16384}\.[\w-]*"), "[redacted]"),
    (re.compile(r"(://[^/\s:@]{0,256}):[^\s@]{1,512}@"), r"\1:[redacted]@"),
    # In PostgreSQL's message about a duplicate row.
    (re.compile(r"(Key \([^)]{0,256}\))=\([^)]{0,1024}\)"), r"\1=([redacted])"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LogOutput(Protocol):
    """A text file, or an object with its methods, that log lines are written to."""

    def write(self, text: str, /) -> object:
        """Write a line."""

    def flush(self) -> object:
        """Write what is buffered."""

    def isatty(self) -> bool:
        """Whether this is a terminal."""


def configure_logging(
    level: str = "info",
    style: Literal["console", "json"] | None = None,
    stream: LogOutput | None = None,
) -> None:
    """Send the events of structlog and of the standard library to one stream.

    This changes the whole process, so the command line calls it and the server does not.

    Args:
        level: events below it are dropped.
        style: the form of a line; None: console on a terminal, else JSON.
        stream: where the lines go; None: stderr.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if style is None else style == "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    rendering: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
    ]
    if as_json:
        rendering += [structlog.processors.JSONRenderer()]
    else:
        rendering += [one_line, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=rendering,
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        )
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


SESSION_SHOWN = 8
"""Characters of a session id that a log shows: enough to tell sessions apart."""


def redact(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    """Cut tokens, secrets and passwords out of an event, tracebacks included."""
    for key, value in event.items():
        event[key] = _without_secrets(key, value)
    return event


def _without_secrets(key: str, value: object) -> object:
    name = key.lower()
    if name in _SECRET_KEYS:
        return "[redacted]"
    if name == "session" and isinstance(value, str):
        # The whole id would resume the session.
        return value[:SESSION_SHOWN]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_text(k): _without_secrets(_text(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets("", item) for item in value]
    text = value if isinstance(value, str) else repr(value)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _text(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def one_line(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    """Escape characters that could end the line or control the terminal.

    A traceback keeps its lines. Each is indented, so none looks like an event.
    """
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n    ".join(_CONTROL.sub(_escape, line) for line in lines)
    return event


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
