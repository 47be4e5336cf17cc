"""JSON answers, and errors in their one shape."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Response

from ..protocol.errors import HttpError


class ErrorBody(msgspec.Struct):
    """One word for programs, one sentence for people."""

    code: str
    message: str


class ErrorAnswer(msgspec.Struct):
    """What every error looks like."""

    error: ErrorBody


class HealthAnswer(msgspec.Struct):
    """The process runs."""

    status: Literal["ok"] = "ok"


def json_response(value: object, status: int = 200) -> Response:
    """``value`` as compact JSON, which nobody is to keep."""
    response = Response(msgspec.json.encode(value), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def error_response(error: HttpError) -> Response:
    """``{"error": {"code", "message"}}``."""
    response = json_response(ErrorAnswer(ErrorBody(error.code, error.message)), error.status)
    response.headers.update(error.headers)
    return response
