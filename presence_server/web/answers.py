"""JSON answers, and the one form of every error."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Response

from ..protocol.errors import HttpError


class ErrorBody(msgspec.Struct):
    """An error: one word for programs, one sentence for people."""

    code: str
    message: str


class ErrorAnswer(msgspec.Struct):
    """The JSON of every error."""

    error: ErrorBody


class HealthAnswer(msgspec.Struct):
    """The answer of `/healthz`: the process runs."""

    status: Literal["ok"] = "ok"


def json_response(value: object, status: int = 200) -> Response:
    """Answer with ``value`` as compact JSON that no cache may keep."""
    response = Response(msgspec.json.encode(value), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def bytes_response(value: bytes) -> Response:
    """Answer with bytes that no cache may keep."""
    response = Response(value, content_type="application/octet-stream")
    response.headers["Cache-Control"] = "no-store"
    return response


def error_response(error: HttpError) -> Response:
    """Answer with ``{"error": {"code", "message"}}`` and the error's status and headers."""
    response = json_response(ErrorAnswer(ErrorBody(error.code, error.message)), error.status)
    response.headers.update(error.headers)
    return response
