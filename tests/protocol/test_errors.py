"""The error tree, the codes of the wire, and the table of close codes (protocol section 6)."""

from __future__ import annotations

import importlib
import pkgutil
import re

import presence_server
from presence_server.protocol import errors
from presence_server.protocol.errors import (
    RECONNECT,
    BadMessage,
    CloseCode,
    ErrorCode,
    HttpError,
    PresenceError,
)

_LINE_OF_TREE = re.compile(r"^    (?P<indent>[├└│─ ]*)(?P<name>[A-Z]\w+) +(?P<package>[a-z_]+)\b")


def tree_in_the_docstring() -> dict[str, tuple[str | None, str]]:
    """Each error's parent and package, as the module's docstring says."""
    found: dict[str, tuple[str | None, str]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = _LINE_OF_TREE.match(line)
        if match is not None:
            depth = len(match["indent"]) // 4
            path[depth:] = [match["name"]]
            found[match["name"]] = (path[depth - 1] if depth else None, match["package"])
    return found


def tree_in_the_code() -> dict[str, tuple[str | None, str]]:
    """The same, as the classes say."""
    for module in pkgutil.walk_packages(presence_server.__path__, "presence_server."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: dict[str, tuple[str | None, str]] = {}
    waiting: list[type[Exception]] = [PresenceError]
    while waiting:
        error = waiting.pop()
        package = error.__module__.split(".")
        parent = None if error is PresenceError else error.__bases__[0].__name__
        if package[0] == "presence_server":
            found[error.__name__] = (parent, package[1])
            waiting += error.__subclasses__()
    return found


def test_the_docstring_shows_every_error_of_the_package() -> None:
    assert tree_in_the_docstring() == tree_in_the_code()


def test_every_close_code_says_whether_to_come_back() -> None:
    assert set(RECONNECT) == {int(code) for code in CloseCode}


def test_the_error_codes_are_those_of_the_wire() -> None:
    assert {str(code) for code in ErrorCode} == {
        "BOARD_FULL",
        "INVALID_JSON",
        "INVALID_MESSAGE",
        "UNKNOWN_EVENT",
        "NOT_JOINED",
        "MESSAGE_TOO_BIG",
        "RATE_LIMITED",
        "UNAUTHORIZED",
        "FORBIDDEN",
        "INTERNAL",
    }


def test_a_bad_message_has_the_code_and_the_text_of_the_error_event() -> None:
    error = BadMessage(ErrorCode.INVALID_JSON, "the message is not JSON")
    assert isinstance(error, PresenceError)
    assert (error.code, error.message) == (ErrorCode.INVALID_JSON, str(error))


def test_an_http_error_has_the_headers_that_it_was_given_and_when_to_try_again() -> None:
    given = {"Allow": "GET"}
    error = HttpError(503, "DRAINING", "later", given, retry_after_s=5)
    assert (error.status, error.code, error.message) == (503, "DRAINING", "later")
    assert error.headers == {"Allow": "GET", "Retry-After": "5"}
    assert given == {"Allow": "GET"}
    assert HttpError(404, "NOT_FOUND", "no").headers == {}
