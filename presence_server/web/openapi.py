"""The HTTP API described for machines: OpenAPI 3.1, from the routes and the answers' types.

The paths come from the application's routes, the schemas from the types that it encodes. Only
the words are written here. A route without words stops the start of the application.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Struct, UnsetType

from .. import __version__
from ..protocol.messages import UserObject
from ..protocol.model import HistoryEntry
from .answers import ErrorAnswer, HealthAnswer
from .api import (
    DEFAULT_HISTORY,
    MAX_HISTORY,
    MAX_SINCE_MS,
    DeletedAnswer,
    KickAnswer,
    PresenceAnswer,
)
from .ports import BoardSummary, Readiness

JSON = "application/json"
REF = "#/components/schemas/{name}"

Schema = dict[str, object]


class Route(Struct, frozen=True):
    """A route of the application, with the framework's name and rule."""

    endpoint: str
    rule: str
    methods: frozenset[str]


class Words(Struct, frozen=True, kw_only=True):
    """The description of a route, which the framework does not have.

    Attributes:
        summary: one line about the route.
        answer: the type of the JSON of status 200; None: ``media_type`` without a schema.
        media_type: of the answer.
        errors: the other statuses, each with its reason.
        failing_answer: whether the errors have the form of ``answer``, too.
        security: the key of the security scheme; None: everybody may call it.
        query: the parameters of the query.
    """

    summary: str
    answer: object | None = None
    media_type: str = JSON
    errors: dict[int, str] = {}
    failing_answer: bool = False
    security: str | None = None
    query: tuple[Schema, ...] = ()


class _Media(Struct, omit_defaults=True):
    schema: Schema


class _Answer(Struct, omit_defaults=True):
    description: str
    content: dict[str, _Media] = {}


class _Operation(Struct, rename="camel", omit_defaults=True):
    operation_id: str
    summary: str
    responses: dict[str, _Answer]
    parameters: list[Schema] = []
    security: list[dict[str, list[str]]] | UnsetType = UNSET


class _Info(Struct):
    title: str
    version: str
    description: str


class _Document(Struct):
    openapi: str
    info: _Info
    paths: dict[str, dict[str, _Operation]]
    components: dict[str, dict[str, Schema]]


def _query(name: str, meaning: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": meaning, "schema": schema}


_BAD_REQUEST = {400: "The board id or a parameter is not valid."}
_ADMIN = {
    401: "The admin token is missing or wrong.",
    429: "The address has sent too many wrong tokens.",
    404: "The server has no admin token, and so no such route; or the user is not there.",
}
_PAGE = "text/html"

WORDS = {
    "api.presence": Words(
        summary="The users of a board; none if it is not live",
        answer=PresenceAnswer,
        errors=_BAD_REQUEST
        | {401: "The token is missing or not valid.", 403: "The token is for other boards."},
        security="token",
    ),
    "api.document": Words(
        summary="The Yjs document of a board, as one update (format V1)",
        media_type="application/octet-stream",
        errors=_BAD_REQUEST
        | {
            401: "The token is missing or not valid.",
            403: "The token is for other boards.",
            404: "The board has no document.",
            503: "The store does not answer.",
        },
        security="token",
    ),
    "api.delete_document": Words(
        summary="Delete the Yjs document of a board; its members are closed with 1012",
        answer=DeletedAnswer,
        errors=_BAD_REQUEST | _ADMIN | {503: "The store does not answer."},
        security="admin",
    ),
    "api.boards": Words(
        summary="The boards that are live now",
        answer=list[BoardSummary],
        errors=_ADMIN | {503: "One of several processes of the server does not answer."},
        security="admin",
    ),
    "api.history": Words(
        summary="Past and present sessions of a board, newest first",
        answer=list[HistoryEntry],
        errors=_BAD_REQUEST | _ADMIN | {503: "The store does not answer."},
        security="admin",
        query=(
            _query(
                "since",
                "Only sessions that were open at this time or later; milliseconds since the epoch.",
                {"type": "integer", "minimum": 0, "maximum": MAX_SINCE_MS},
            ),
            _query(
                "limit",
                "The largest number of sessions to return.",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_HISTORY,
                    "default": DEFAULT_HISTORY,
                },
            ),
        ),
    ),
    "api.kick": Words(
        summary="Remove a user from a board",
        answer=KickAnswer,
        errors=_BAD_REQUEST | _ADMIN,
        security="admin",
    ),
    "healthz": Words(summary="Whether the process runs", answer=HealthAnswer),
    "readyz": Words(
        summary="Whether the server accepts connections, and whether its stores answer",
        answer=Readiness,
        errors={503: "Starting or draining."},
        failing_answer=True,
    ),
    "metrics": Words(summary="The numbers of the server, for Prometheus", media_type="text/plain"),
    "openapi": Words(summary="This document", answer=dict),
    "index": Words(summary="The demo board", media_type=_PAGE),
    "board": Words(summary="The demo, on this board", media_type=_PAGE, errors=_BAD_REQUEST),
    "favicon": Words(summary="The icon of the demo", media_type="image/svg+xml"),
    "static": Words(
        summary="A file of the demo or the client library",
        media_type="*/*",
        errors={404: "There is no such file."},
    ),
}

_PARAMETERS: dict[str, tuple[str, Schema]] = {
    "board_id": ("The board's id.", {"type": "string", "pattern": "^[A-Za-z0-9_.:~-]{1,128}$"}),
    "user_id": ("The user's id.", {"type": "string", "minLength": 1, "maxLength": 128}),
    "name": ("The file's path.", {"type": "string"}),
}
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
_SECURITY_SCHEMES: dict[str, Schema] = {
    "admin": {
        "type": "http",
        "scheme": "bearer",
        "description": "The setting auth.admin_token.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token for the board, where auth.mode asks for one; or ?token=.",
    },
}


def describe(routes: Iterable[Route]) -> bytes:
    """Encode the document of an application with these routes.

    Raises:
        KeyError: ``WORDS`` has no entry for one of them.
    """
    schemas, components = _schemas()
    paths: dict[str, dict[str, _Operation]] = {}
    for route in routes:
        operations = paths.setdefault(_CONVERTER.sub(r"{\1}", route.rule), {})
        for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
            operations[method.lower()] = _operation(route, WORDS[route.endpoint], schemas)
    info = _Info(
        "Presence server",
        __version__,
        "Boards themselves are WebSockets at /ws/boards/{board_id}, which OpenAPI cannot describe.",
    )
    document = _Document(
        "3.1.0", info, paths, {"schemas": components, "securitySchemes": _SECURITY_SCHEMES}
    )
    return msgspec.json.encode(document)


def _schemas() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The schemas of the answers by endpoint (errors under ""), and those they refer to."""
    types = {name: words.answer for name, words in WORDS.items() if words.answer is not None}
    types[""] = ErrorAnswer
    found, components = msgspec.json.schema_components(
        [*types.values(), UserObject], ref_template=REF
    )
    # UserObject comes last and without a name: other answers refer to it.
    return dict(zip(types, found, strict=False)), components


def _operation(route: Route, words: Words, schemas: dict[str, Schema]) -> _Operation:
    own = schemas.get(route.endpoint)
    content = {words.media_type: _Media({} if own is None else own)}
    failing = content if words.failing_answer else {JSON: _Media(schemas[""])}
    answers = {"200": _Answer("The answer.", content)}
    answers |= {str(status): _Answer(why, failing) for status, why in words.errors.items()}
    answers["default"] = _Answer("Any other error.", {JSON: _Media(schemas[""])})
    parameters: list[Schema] = []
    for name in _CONVERTER.findall(route.rule):
        meaning, schema = _PARAMETERS[name]
        parameters.append(
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": meaning,
                "schema": schema,
            }
        )
    return _Operation(
        operation_id=route.endpoint.rpartition(".")[2],
        summary=words.summary,
        responses=answers,
        parameters=parameters + list(words.query),
        security=UNSET if words.security is None else [{words.security: []}],
    )
