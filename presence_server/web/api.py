"""The REST API: boards, history, kick (section 7 of the protocol)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import trio
from quart import Blueprint, Response, request

from ..protocol.errors import HttpError
from ..protocol.profile import is_board_id
from ..refusals import RefusalReason
from .answers import bytes_response, json_response
from .guesses import GuessLimiter
from .ports import Access, Unavailable, WebPorts

DEFAULT_HISTORY = 100
MAX_HISTORY = 1000
MAX_SINCE_MS = 2**53

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class PresenceAnswer(msgspec.Struct):
    """The users of a board, and how many wait in its queue."""

    board_id: str
    users: Annotated[
        msgspec.Raw,
        # The cache holds them encoded.
        msgspec.Meta(
            extra_json_schema={
                "type": "array",
                "items": {"$ref": "#/components/schemas/UserObject"},
            }
        ),
    ]
    count: int
    capacity: int
    queue_length: int


class DeletedAnswer(msgspec.Struct):
    """The board whose document was deleted."""

    board_id: str


class KickAnswer(msgspec.Struct):
    """The user who was removed, and the board."""

    board_id: str
    user_id: str


def create_api(ports: WebPorts) -> Blueprint:
    """Create the routes under ``/api``."""
    api = Blueprint("api", __name__, url_prefix="/api")

    @api.get("/boards/<any_text:board_id>/presence")
    async def presence(board_id: str) -> Response:
        _require_board_id(board_id)
        _require_access(ports.authorize(board_id, _token()))
        view = await ports.presence(board_id)
        users = msgspec.Raw(view.users_json)
        return json_response(
            PresenceAnswer(board_id, users, view.count, view.capacity, view.queue_length)
        )

    @api.get("/boards/<any_text:board_id>/document")
    async def document(board_id: str) -> Response:
        _require_board_id(board_id)
        _require_access(ports.authorize(board_id, _token()))
        with _store_answers():
            update = await ports.document(board_id)
        if update is None:
            raise HttpError(404, "NOT_FOUND", "the board has no document")
        return bytes_response(update)

    if ports.admin_token:
        # Without a token these routes do not exist, so there is nothing to guess.
        _add_admin_routes(api, ports, ports.admin_token)
    return api


def _add_admin_routes(api: Blueprint, ports: WebPorts, admin_token: str) -> None:
    guesses = GuessLimiter()

    def require_admin() -> None:
        _require_admin(admin_token, ports, guesses)

    @api.get("/boards")
    async def boards() -> Response:
        require_admin()
        try:
            return json_response(await ports.boards())
        except Unavailable:
            message = "a process of this server does not answer"
            raise HttpError(503, "UNAVAILABLE", message, retry_after_s=1) from None

    @api.get("/boards/<any_text:board_id>/history")
    async def history(board_id: str) -> Response:
        require_admin()
        _require_board_id(board_id)
        since = _whole_number("since", None, 0, MAX_SINCE_MS)
        limit = _whole_number("limit", DEFAULT_HISTORY, 1, MAX_HISTORY)
        assert limit is not None
        with _store_answers():
            return json_response(await ports.history(board_id, since, limit))

    @api.delete("/boards/<any_text:board_id>/document")
    async def delete_document(board_id: str) -> Response:
        require_admin()
        _require_board_id(board_id)
        with _store_answers():
            is_deleted = await ports.delete_document(board_id)
        if not is_deleted:
            raise HttpError(404, "NOT_FOUND", "the board has no document")
        return json_response(DeletedAnswer(board_id))

    @api.delete("/boards/<any_text:board_id>/users/<any_text:user_id>")
    async def kick(board_id: str, user_id: str) -> Response:
        require_admin()
        _require_board_id(board_id)
        if not await ports.kick(board_id, user_id):
            raise HttpError(404, "NOT_FOUND", "the user is not on the board")
        return json_response(KickAnswer(board_id, user_id))


@contextmanager
def _store_answers() -> Iterator[None]:
    """Answer 503 if the store does not answer inside.

    Raises:
        HttpError: it does not.
    """
    try:
        yield
    except Unavailable:
        raise HttpError(503, "UNAVAILABLE", "the store does not answer") from None


def _token() -> str | None:
    """The token in the header of the request, else the one in its query."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return request.args.get("token")


def _require_admin(expected: str, ports: WebPorts, guesses: GuessLimiter) -> None:
    """Let the bearer of the admin token pass; an address may guess it a few times a second.

    Raises:
        HttpError: the token is missing or wrong, or its address guessed too often.
    """
    address, now = request.remote_addr or "", trio.current_time()
    wait_s = guesses.wait_s(address, now)
    if wait_s > 0:
        ports.refused(RefusalReason.ADMIN_GUESSES)
        raise HttpError(429, "RATE_LIMITED", "too many wrong tokens", retry_after_s=wait_s)
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    # In constant time, and even if the scheme is wrong.
    same = hmac.compare_digest(shown.strip().encode(), expected.encode())
    if not (same and scheme.lower() == "bearer"):
        ports.refused(RefusalReason.ADMIN_TOKEN)
        if shown:
            guesses.note(address, now)
        raise HttpError(401, "UNAUTHORIZED", "this needs the admin token", _CHALLENGE)


def _require_board_id(board_id: str) -> None:
    if not is_board_id(board_id):
        raise HttpError(
            400, "INVALID_BOARD_ID", "a board id is 1-128 characters of A-Z a-z 0-9 _ - . : ~"
        )


def _require_access(access: Access) -> None:
    if access is Access.UNAUTHORIZED:
        raise HttpError(401, "UNAUTHORIZED", "this needs a token for the board", _CHALLENGE)
    if access is Access.FORBIDDEN:
        raise HttpError(403, "FORBIDDEN", "the token does not cover this board")


def _whole_number(name: str, default: int | None, lowest: int, highest: int) -> int | None:
    text = request.args.get(name)
    if text is None:
        return default
    # Short and plain digits only: int() also takes underscores, blanks and 5 000 digits.
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else -1
    if not lowest <= value <= highest:
        raise HttpError(
            400, "INVALID_PARAMETER", f"{name} must be a whole number from {lowest} to {highest}"
        )
    return value
