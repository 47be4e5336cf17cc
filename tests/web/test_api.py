"""The REST API: answers, who may ask, and errors in one shape."""

from __future__ import annotations

import pytest
import trio
from quart import typing as quart_typing
from trio.testing import MockClock
from werkzeug.datastructures import Headers

from presence_server.refusals import RefusalReason
from presence_server.web.app import create_app
from presence_server.web.guesses import GUESSES_AT_ONCE
from presence_server.web.ports import Access
from tests.web.fakes import FakePorts

ADMIN = Headers({"Authorization": "Bearer s3cret"})
ADMIN_ROUTES = [
    ("GET", "/api/boards"),
    ("GET", "/api/boards/b1/history"),
    ("DELETE", "/api/boards/b1/users/u1"),
]


def client_of(ports: FakePorts) -> quart_typing.TestClientProtocol:
    return create_app(ports).test_client()


class TestPresence:
    async def test_shows_who_is_on_the_board(self) -> None:
        response = await client_of(FakePorts()).get("/api/boards/b1/presence")
        assert response.status_code == 200
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.get_json() == {
            "board_id": "b1",
            "users": [{"user_id": "u1"}],
            "count": 1,
            "capacity": 100,
            "queue_length": 3,
        }

    @pytest.mark.parametrize(
        "board", ["a%20b", "a%2Fb", "a/b", "%00", "x" * 129, "x" * 10_000, "%FF", "caf%C3%A9"]
    )
    async def test_refuses_what_is_no_board_id(self, board: str) -> None:
        response = await client_of(FakePorts()).get(f"/api/boards/{board}/presence")
        assert response.status_code == 400
        assert (await response.get_json())["error"]["code"] == "INVALID_BOARD_ID"

    @pytest.mark.parametrize("board", ["x" * 128, "A-z_0.9:~", "%61"])
    async def test_takes_every_board_id(self, board: str) -> None:
        response = await client_of(FakePorts()).get(f"/api/boards/{board}/presence")
        assert response.status_code == 200

    @pytest.mark.parametrize(
        ("access", "status", "code"),
        [(Access.UNAUTHORIZED, 401, "UNAUTHORIZED"), (Access.FORBIDDEN, 403, "FORBIDDEN")],
    )
    async def test_is_for_those_who_may_see_the_board(
        self, access: Access, status: int, code: str
    ) -> None:
        response = await client_of(FakePorts(access=access)).get("/api/boards/b1/presence")
        assert response.status_code == status
        assert (await response.get_json())["error"]["code"] == code

    async def test_takes_the_token_of_the_header_before_that_of_the_query(self) -> None:
        ports = FakePorts()
        client = client_of(ports)
        await client.get("/api/boards/b1/presence?token=q", headers={"Authorization": "Bearer h"})
        await client.get("/api/boards/b1/presence?token=q", headers={"Authorization": "Basic x"})
        await client.get("/api/boards/b1/presence")
        assert [asked[2] for asked in ports.asked] == ["h", "q", None]


class TestAdminRoutes:
    @pytest.mark.parametrize("path", [path for _, path in ADMIN_ROUTES])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    @pytest.mark.parametrize("admin_token", [None, ""])
    async def test_are_not_there_without_a_configured_token(
        self, method: str, path: str, admin_token: str | None
    ) -> None:
        client = client_of(FakePorts(admin_token=admin_token))
        for headers in (ADMIN, Headers({"Authorization": "Bearer "}), Headers()):
            response = await client.open(path, method=method, json=None, headers=headers)
            assert response.status_code == 404

    @pytest.mark.parametrize(("method", "path"), ADMIN_ROUTES)
    @pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic s3cret", "s3cret", "Bearer é"])
    async def test_refuse_others(self, method: str, path: str, header: str | None) -> None:
        headers = Headers({"Authorization": header} if header else {})
        client = client_of(FakePorts(admin_token="s3cret", present={("b1", "u1")}))
        response = await client.open(path, method=method, json=None, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"

    async def test_list_boards(self) -> None:
        response = await client_of(FakePorts(admin_token="s3cret")).get(
            "/api/boards", headers=ADMIN
        )
        assert await response.get_json() == [
            {"board_id": "b1", "count": 2, "connected": 1, "queue_length": 0}
        ]

    async def test_show_history_without_session_ids(self) -> None:
        ports = FakePorts(admin_token="s3cret")
        response = await client_of(ports).get(
            "/api/boards/b1/history?since=5&limit=7", headers=ADMIN
        )
        (item,) = await response.get_json()
        assert item["user_id"] == "u1"
        assert item["disconnected_at"] is None
        assert "session_id" not in item
        assert ports.asked == [("history", "b1", 5, 7)]

    async def test_show_a_hundred_by_default(self) -> None:
        ports = FakePorts(admin_token="s3cret")
        await client_of(ports).get("/api/boards/b1/history", headers=ADMIN)
        assert ports.asked == [("history", "b1", None, 100)]

    @pytest.mark.parametrize(
        "query", ["since=x", "since=-1", "since=", "limit=0", "limit=1001", "limit=" + "1" * 5000]
    )
    async def test_refuse_strange_numbers(self, query: str) -> None:
        response = await client_of(FakePorts(admin_token="s3cret")).get(
            f"/api/boards/b1/history?{query}", headers=ADMIN
        )
        assert response.status_code == 400
        assert query.partition("=")[0] in (await response.get_json())["error"]["message"]

    async def test_say_when_the_store_is_down(self) -> None:
        ports = FakePorts(admin_token="s3cret", store_is_up=False)
        response = await client_of(ports).get("/api/boards/b1/history", headers=ADMIN)
        assert response.status_code == 503
        assert (await response.get_json())["error"]["code"] == "UNAVAILABLE"

    @pytest.mark.parametrize(
        ("path", "user"),
        [
            ("u1", "u1"),
            ("a%2Fb", "a/b"),
            ("%2Fa", "/a"),
            ("a%20%C3%A9", "a é"),
            ("users/x/users/y", "users/x/users/y"),
            ("a%0Ab", "a\nb"),
            ("%0D%0A", "\r\n"),
        ],
    )
    async def test_kick_users_of_any_name(self, path: str, user: str) -> None:
        ports = FakePorts(admin_token="s3cret", present={("b1", user)})
        response = await client_of(ports).delete(f"/api/boards/b1/users/{path}", headers=ADMIN)
        assert response.status_code == 200
        assert await response.get_json() == {"board_id": "b1", "user_id": user}

    async def test_say_when_there_is_nobody_to_kick(self) -> None:
        response = await client_of(FakePorts(admin_token="s3cret")).delete(
            "/api/boards/b1/users/u1", headers=ADMIN
        )
        assert response.status_code == 404


class TestErrors:
    @pytest.mark.parametrize("path", ["/nothing", "/api", "/api/boards/b1", "/boards/", "/static/"])
    async def test_are_json_where_there_is_nothing(self, path: str) -> None:
        response = await client_of(FakePorts()).get(path)
        assert response.status_code == 404
        assert (await response.get_json())["error"]["code"] == "NOT_FOUND"

    async def test_are_json_where_the_method_is_wrong(self) -> None:
        response = await client_of(FakePorts()).post("/healthz")
        assert response.status_code == 405
        assert "GET" in response.headers["Allow"]
        assert (await response.get_json())["error"]["code"] == "METHOD_NOT_ALLOWED"

    async def test_say_nothing_of_what_went_wrong_inside(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ports = FakePorts(fault=RuntimeError("hunter2"))
        response = await client_of(ports).get("/api/boards/b1/presence")
        assert response.status_code == 500
        body = await response.get_data(as_text=True)
        assert "INTERNAL" in body
        assert "hunter2" not in body
        assert "request failed" in capsys.readouterr().out


class TestGuessesOfTheAdminToken:
    async def test_are_refused_after_a_few_even_if_one_is_right_and_are_counted(
        self, autojump_clock: MockClock
    ) -> None:
        ports = FakePorts(admin_token="s3cret")
        client = client_of(ports)
        wrong = Headers({"Authorization": "Bearer guess"})
        for _ in range(GUESSES_AT_ONCE):
            assert (await client.get("/api/boards", headers=wrong)).status_code == 401
        for headers in (wrong, ADMIN):
            response = await client.get("/api/boards", headers=headers)
            assert response.status_code == 429
            assert response.headers["Retry-After"] == "1"
        assert ports.refusals == [
            *[RefusalReason.ADMIN_TOKEN] * GUESSES_AT_ONCE,
            *[RefusalReason.ADMIN_GUESSES] * 2,
        ]
        await trio.sleep(1)
        assert (await client.get("/api/boards", headers=ADMIN)).status_code == 200

    async def test_are_not_those_who_show_none_or_the_right_one(self) -> None:
        ports = FakePorts(admin_token="s3cret")
        client = client_of(ports)
        for _ in range(4 * GUESSES_AT_ONCE):
            assert (await client.get("/api/boards")).status_code == 401
            assert (await client.get("/api/boards", headers=ADMIN)).status_code == 200


class TestDocument:
    async def test_is_one_update_for_those_who_may_see_the_board(self) -> None:
        ports = FakePorts(documents={"b1": b"\0\xff\1"})
        response = await client_of(ports).get("/api/boards/b1/document?token=abc")
        assert response.status_code == 200
        assert response.content_type == "application/octet-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.get_data() == b"\0\xff\1"
        assert ports.asked == [("authorize", "b1", "abc")]
        ports.access = Access.FORBIDDEN
        assert (await client_of(ports).get("/api/boards/b1/document")).status_code == 403

    async def test_of_a_board_without_one_is_not_found(self) -> None:
        client = client_of(FakePorts(admin_token="s3cret"))
        assert (await client.get("/api/boards/b1/document")).status_code == 404
        response = await client.delete("/api/boards/b1/document", headers=ADMIN)
        assert response.status_code == 404

    async def test_is_unavailable_while_the_store_is_down(self) -> None:
        client = client_of(FakePorts(admin_token="s3cret", store_is_up=False))
        assert (await client.get("/api/boards/b1/document")).status_code == 503
        response = await client.delete("/api/boards/b1/document", headers=ADMIN)
        assert response.status_code == 503

    async def test_is_deleted_by_the_bearer_of_the_admin_token(self) -> None:
        ports = FakePorts(admin_token="s3cret", documents={"b1": b"x"})
        response = await client_of(ports).delete("/api/boards/b1/document", headers=ADMIN)
        assert await response.get_json() == {"board_id": "b1"}
        assert ports.documents == {}

    async def test_is_not_deleted_without_the_admin_token(self) -> None:
        ports = FakePorts(admin_token="s3cret", documents={"b1": b"x"})
        assert (await client_of(ports).delete("/api/boards/b1/document")).status_code == 401
        ports.admin_token = None
        assert (await client_of(ports).delete("/api/boards/b1/document")).status_code == 405
        assert ports.documents == {"b1": b"x"}
