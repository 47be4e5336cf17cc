"""Answers that need no web application: pages and files, which are in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol

import msgspec

from .head import RequestHead

_HAS_LENGTH = frozenset({HTTPStatus.OK, HTTPStatus.NOT_ACCEPTABLE})


class FoundAnswer(Protocol):
    """The answer to a request; one to HEAD has the body that GET would get."""

    @property
    def status(self) -> int:
        """The status, such as 200 or 304."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers, without those about the connection, the length and the date."""

    @property
    def body(self) -> bytes:
        """The content."""


class AnswerFinder(Protocol):
    """Knows the answers that are ready."""

    def find(
        self, method: str, path: str, values_of: Callable[[str], Sequence[str]]
    ) -> FoundAnswer | None:
        """Find the answer to a request without a body.

        Args:
            method: such as GET.
            path: the path of its target, without the query.
            values_of: returns the values of a header, by its name in lower case.

        Returns:
            The answer; None: the web application has it.
        """


class NoAnswers(AnswerFinder):
    """Every request is for the web application."""

    def find(
        self, method: str, path: str, values_of: Callable[[str], Sequence[str]]
    ) -> FoundAnswer | None:
        """Find nothing."""
        return None


class ReadyAnswer(msgspec.Struct, frozen=True):
    """The bytes of an answer.

    Attributes:
        head: the status and the headers, with the empty line.
        body: the content; empty for an answer without one.
        keeps_alive: whether the connection stays open for the next request.
    """

    head: bytes
    body: bytes
    keeps_alive: bool


def ready_answer(
    finder: AnswerFinder, head: RequestHead, *, may_keep_alive: bool
) -> ReadyAnswer | None:
    """Make the answer to a request that asks for no upgrade.

    Args:
        finder: knows the answers.
        head: the request.
        may_keep_alive: whether the server wants the connection to stay open.

    Returns:
        The answer; None: the web application has it.
    """
    if head.get("content-length") not in (None, "0"):
        return None
    path = head.target.partition("?")[0]
    found = finder.find(head.method, path, head.get_all)
    if found is None:
        return None
    keeps_alive = may_keep_alive and head.version == "HTTP/1.1" and not _asks_to_close(head)
    lines = [
        f"HTTP/1.1 {found.status} {HTTPStatus(found.status).phrase}",
        *(f"{name}: {value}" for name, value in found.headers),
        f"Date: {_date()}",
    ]
    if found.status in _HAS_LENGTH:
        lines.append(f"Content-Length: {len(found.body)}")
    if not keeps_alive:
        lines.append("Connection: close")
    encoded = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return ReadyAnswer(encoded, b"" if head.method == "HEAD" else found.body, keeps_alive)


def _asks_to_close(head: RequestHead) -> bool:
    options = ",".join(head.get_all("connection")).lower().split(",")
    return "close" in (option.strip() for option in options)


def _date() -> str:
    """The time as a header has it (RFC 9110 section 6.6.1)."""
    return formatdate(time.time(), usegmt=True)
