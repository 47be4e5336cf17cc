"""The HTTP API described for machines: OpenAPI 3.1, from the routes and the answers' types.

The paths are those the application has, the schemas those it encodes; only the words are
written here. A route without words is refused, when the application is made.
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
from .api import DEFAULT_HISTORY, MAX_HISTORY, MAX_SINCE_MS, KickAnswer, PresenceAnswer
from .ports import BoardSummary, Readiness

JSON = "application/json"
REF = "#/components/schemas/{name}"

Schema = dict[str, object]


class Route(Struct, frozen=True):
    """A route of the application, as the framework has it."""

    endpoint: str
    rule: str
    methods: frozenset[str]


class Words(Struct, frozen=True, kw_only=True):
    """What the routes cannot say themselves.

    ``answer`` is the type of the JSON of status 200; None: ``media_type`` without a schema.
    ``errors`` are the other statuses, each with when it is given.
    """

    summary: str
    answer: object | None = None
    media_type: str = JSON
    errors: dict[int, str] = {}
    failing_answer: bool = False
    """Whether the errors have the shape of ``answer`` too."""
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


_NO_BOARD_ID = {400: "The board id is none, or a parameter is not what it must be."}
_ADMIN = {
    401: "Not the admin token.",
    404: "The server has no admin token, and so no such route; or the subject is not there.",
}
_PAGE = "text/html"

WORDS = {
    "api.presence": Words(
        summary="Who is on a board; nobody on one that is not live",
        answer=PresenceAnswer,
        errors=_NO_BOARD_ID
        | {401: "No token for the board, or a bad one.", 403: "The token is for other boards."},
        security="token",
    ),
    "api.boards": Words(
        summary="The boards that are live now",
        answer=list[BoardSummary],
        errors=_ADMIN,
        security="admin",
    ),
    "api.history": Words(
        summary="Past and present sessions of a board, newest first",
        answer=list[HistoryEntry],
        errors=_NO_BOARD_ID | _ADMIN | {503: "The store does not answer."},
        security="admin",
        query=(
            _query(
                "since",
                "Only sessions that were open then or later; milliseconds since the epoch.",
                {"type": "integer", "minimum": 0, "maximum": MAX_SINCE_MS},
            ),
            _query(
                "limit",
                "How many at most.",
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
        errors=_NO_BOARD_ID | _ADMIN,
        security="admin",
    ),
    "healthz": Words(summary="Whether the process runs", answer=HealthAnswer),
    "readyz": Words(
        summary="Whether the server takes connections, and what it has to work with",
        answer=Readiness,
        errors={503: "Starting or draining."},
        failing_answer=True,
    ),
    "metrics": Words(summary="The numbers of the server, for Prometheus", media_type="text/plain"),
    "openapi": Words(summary="This document", answer=dict),
    "index": Words(summary="The demo board", media_type=_PAGE),
    "board": Words(summary="The demo, on this board", media_type=_PAGE, errors=_NO_BOARD_ID),
    "favicon": Words(summary="The icon of the demo", media_type="image/svg+xml"),
    "static": Words(
        summary="A file of the demo or the client library",
        media_type="*/*",
        errors={404: "There is no such file."},
    ),
}

_PARAMETERS: dict[str, tuple[str, Schema]] = {
    "board_id": ("Which board.", {"type": "string", "pattern": "^[A-Za-z0-9_.:~-]{1,128}$"}),
    "user_id": ("Which user.", {"type": "string", "minLength": 1, "maxLength": 128}),
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
    """The document of an application with these routes, encoded.

    Raises:
        KeyError: nothing is written here about one of them.
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
    """The schema of each endpoint's answer, of errors under "", and what they refer to."""
    types = {name: words.answer for name, words in WORDS.items() if words.answer is not None}
    types[""] = ErrorAnswer
    found, components = msgspec.json.schema_components(
        [*types.values(), UserObject], ref_template=REF
    )
    # The last has no name; it is there for the answers that refer to it.
    return dict(zip(types, found, strict=False)), components


def _operation(route: Route, words: Words, schemas: dict[str, Schema]) -> _Operation:
    own = schemas.get(route.endpoint)
    content = {words.media_type: _Media({} if own is None else own)}
    failing = content if words.failing_answer else {JSON: _Media(schemas[""])}
    answers = {"200": _Answer("As asked.", content)}
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
