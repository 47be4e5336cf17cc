"""The gateway's own answers are whole HTTP responses with the JSON of every error."""

from __future__ import annotations

import http.client
import io
import json
from http import HTTPStatus

import pytest

from presence_server.transport.http.refusal import Refusal, draining, full

NO_PAGE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""What keeps an answer from being taken for a page, and its address from being passed on."""


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def answer(refusal: Refusal) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(_Socket(refusal.response()))  # type: ignore[arg-type]
    response.begin()
    return response


def test_says_status_code_and_message_and_closes() -> None:
    response = answer(Refusal(HTTPStatus.FORBIDDEN, "FORBIDDEN", 'no "entry"'))
    assert response.status == 403
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Connection"] == "close"
    assert response.headers["Retry-After"] is None
    assert json.loads(response.read()) == {"error": {"code": "FORBIDDEN", "message": 'no "entry"'}}


@pytest.mark.parametrize("seconds", [0, 5])
def test_says_when_to_come_back(seconds: int) -> None:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    response = answer(Refusal(status, "DRAINING", "later", retry_after_s=seconds))
    assert response.headers["Retry-After"] == str(seconds)


def test_of_a_missing_upgrade_names_the_protocol() -> None:
    response = answer(Refusal(HTTPStatus.UPGRADE_REQUIRED, "UPGRADE_REQUIRED", "a socket"))
    assert response.headers["Upgrade"] == "websocket"


@pytest.mark.parametrize(
    "refusal",
    [
        *(Refusal(HTTPStatus(n), "CODE", "text") for n in (400, 403, 404, 408, 411, 426, 429, 503)),
        full(),
        draining(),
    ],
    ids=lambda refusal: str(refusal.status.value),
)
def test_is_no_page_and_passes_nothing_on_whatever_its_status(refusal: Refusal) -> None:
    headers = answer(refusal).headers
    assert {name: headers.get_all(name) for name in NO_PAGE} == {
        name: [value] for name, value in NO_PAGE.items()
    }
