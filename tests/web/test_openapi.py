"""The description of the HTTP API, held to the application and its answers."""

from __future__ import annotations

import re

import msgspec
import pytest
from quart import typing as quart_typing
from werkzeug.datastructures import Headers

from presence_server.protocol.messages import UserObject, encode_users
from presence_server.protocol.model import Cursor, PresenceStatus
from presence_server.web.app import create_app
from presence_server.web.openapi import Route, describe
from presence_server.web.ports import Access, PresenceView, Readiness
from tests.web.fakes import FakePorts

ADMIN = Headers({"Authorization": "Bearer s3cret"})
USERS = [
    UserObject(
        "u1",
        "Una",
        None,
        "#112233",
        PresenceStatus.IDLE,
        True,
        Cursor(1.5, -2.0),
        msgspec.Raw(b'{"tool":"pen"}'),
        1,
    ),
    UserObject(
        "u2",
        "Udo",
        "https://example.org/u.png",
        "#445566",
        PresenceStatus.ONLINE,
        False,
        None,
        msgspec.Raw(b"null"),
        2,
    ),
]

Json = dict[str, "object"]


class PortsWithUsers(FakePorts):
    async def presence(self, board_id: str) -> PresenceView:
        return PresenceView(encode_users(USERS), 2, 100, 3)


def part(of: object, *path: str) -> Json:
    """What is under a path of keys, which must be an object."""
    for key in path:
        assert isinstance(of, dict)
        of = of[key]
    assert isinstance(of, dict)
    return of


def faults(value: object, schema: Json, document: Json, where: str = "$") -> list[str]:
    """Where a value is not what a schema says; knows the keywords that the document uses."""
    known = {"title", "description", "default", "pattern", "minimum", "maximum"}
    known |= {"$ref", "anyOf", "enum", "const", "type", "properties", "required", "items"}
    known |= {"additionalProperties"}
    assert schema.keys() <= known, schema
    match schema:
        case {"$ref": str(ref)}:
            return faults(value, part(document, *ref.split("/")[1:]), document, where)
        case {"anyOf": list(choices)}:
            found = [faults(value, choice, document, where) for choice in choices]
            return [] if [] in found else [fault for faults_of in found for fault in faults_of]
        case {"enum": list(allowed)}:
            return [] if value in allowed else [f"{where}: {value!r} is none of {allowed}"]
        case {"type": "array", "items": dict(items)}:
            if not isinstance(value, list):
                return [f"{where}: not an array"]
            return [
                f for i, v in enumerate(value) for f in faults(v, items, document, f"{where}[{i}]")
            ]
        case {"type": "object"}:
            return _object_faults(value, schema, document, where)
        case {"type": str(kind)}:
            types = {"string": str, "integer": int, "boolean": bool, "null": type(None)}
            expected = (int, float) if kind == "number" else (types[kind],)
            right = type(value) in expected
            return [] if right else [f"{where}: {value!r} is no {kind}"]
    return []


def _object_faults(value: object, schema: Json, document: Json, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    properties = part(schema, "properties") if "properties" in schema else {}
    required = schema.get("required", [])
    assert isinstance(required, list)
    found = [f"{where}.{name}: missing" for name in required if name not in value]
    for name, inner in value.items():
        if name in properties:
            found += faults(inner, part(properties, name), document, f"{where}.{name}")
        elif properties:
            found.append(f"{where}.{name}: not described")
    return found


async def document_of(client: quart_typing.TestClientProtocol) -> Json:
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    document = await response.get_json()
    assert isinstance(document, dict)
    return document


def schema_of(document: Json, method: str, path: str, status: str) -> Json:
    """Of the JSON that a route answers with."""
    return part(
        document,
        "paths",
        path,
        method,
        "responses",
        status,
        "content",
        "application/json",
        "schema",
    )


@pytest.mark.parametrize("admin_token", [None, "s3cret"])
async def test_describes_every_route_of_the_application_and_no_other(
    admin_token: str | None,
) -> None:
    app = create_app(FakePorts(admin_token=admin_token))
    document = await document_of(app.test_client())
    assert str(document["openapi"]).startswith("3.1.")
    expected = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {
        (method, path)
        for path, operations in part(document, "paths").items()
        for method in part(operations)
    }
    assert described == expected
    kick = ("delete", "/api/boards/{board_id}/users/{user_id}")
    assert (kick in described) == (admin_token is not None)


async def test_is_whole_every_reference_and_every_path_parameter_is_explained() -> None:
    client = create_app(FakePorts()).test_client()
    document = await document_of(client)
    text = msgspec.json.encode(document).decode()
    references = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', text))
    assert "UserObject" in references
    assert references <= part(document, "components", "schemas").keys()
    names = []
    for path, operations in part(document, "paths").items():
        for operation in part(operations).values():
            parameters = part(operation).get("parameters", [])
            assert isinstance(parameters, list)
            in_path = [p["name"] for p in parameters if p["in"] == "path"]
            assert in_path == re.findall(r"{(\w+)}", path)
            names.append(part(operation)["operationId"])
            schemes = part(document, "components", "securitySchemes").keys()
            security = part(operation).get("security", [])
            assert isinstance(security, list)
            assert {name for choice in security for name in choice} <= schemes
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("method", "path", "url"),
    [
        ("get", "/api/boards/{board_id}/presence", "/api/boards/b1/presence"),
        ("get", "/api/boards", "/api/boards"),
        ("get", "/api/boards/{board_id}/history", "/api/boards/b1/history?since=0&limit=5"),
        ("delete", "/api/boards/{board_id}/users/{user_id}", "/api/boards/b1/users/u1"),
        ("get", "/healthz", "/healthz"),
        ("get", "/readyz", "/readyz"),
        ("get", "/openapi.json", "/openapi.json"),
    ],
)
async def test_answers_are_as_described(method: str, path: str, url: str) -> None:
    client = create_app(PortsWithUsers(admin_token="s3cret", present={("b1", "u1")})).test_client()
    document = await document_of(client)
    ask = client.delete if method == "delete" else client.get
    response = await ask(url, headers=ADMIN)
    assert response.status_code == 200
    schema = schema_of(document, method, path, "200")
    assert faults(await response.get_json(), schema, document) == []


async def test_errors_are_as_described() -> None:
    ports = FakePorts(
        admin_token="s3cret",
        access=Access.FORBIDDEN,
        store_is_up=False,
        readiness=Readiness("draining", "ok", "down"),
    )
    client = create_app(ports).test_client()
    document = await document_of(client)
    presence, history = "/api/boards/{board_id}/presence", "/api/boards/{board_id}/history"
    for method, path, url, status in (
        ("get", presence, "/api/boards/a%20b/presence", 400),
        ("get", presence, "/api/boards/b1/presence", 403),
        ("get", history, "/api/boards/b1/history", 503),
        ("get", history, "/api/boards/b1/history?limit=0", 400),
        ("delete", "/api/boards/{board_id}/users/{user_id}", "/api/boards/b1/users/u9", 404),
        ("get", "/readyz", "/readyz", 503),
        ("get", "/static/{name}", "/static/none", 404),
    ):
        ask = client.delete if method == "delete" else client.get
        response = await ask(url, headers=ADMIN)
        assert response.status_code == status, url
        schema = schema_of(document, method, path, str(status))
        assert faults(await response.get_json(), schema, document) == [], url


async def test_this_files_own_check_finds_faults() -> None:
    document = await document_of(create_app(FakePorts()).test_client())
    schema = schema_of(document, "get", "/api/boards/{board_id}/presence", "200")
    bad = {"board_id": 1, "users": [{"user_id": "u1", "color": None}], "count": 1, "more": 0}
    found = faults(bad, schema, document)
    assert "$.board_id: 1 is no string" in found
    assert "$.users[0].color: None is no string" in found
    assert "$.users[0].joined_at: missing" in found
    assert "$.capacity: missing" in found
    assert "$.more: not described" in found


def test_a_route_nobody_described_is_refused() -> None:
    with pytest.raises(KeyError, match="new_one"):
        describe([Route("new_one", "/new", frozenset({"GET"}))])
