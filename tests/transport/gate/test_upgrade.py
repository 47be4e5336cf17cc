"""Which requests become WebSocket connections."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.protocol import State

from presence_server.transport.gate.upgrade import accept, is_plain, read_handshake
from presence_server.transport.http.head import RequestHead, parse_head
from presence_server.transport.http.refusal import Refusal
from presence_server.transport.sessions.handshake import Accepted
from tests.transport.frames import upgrade_request

NONE: frozenset[str] = frozenset()


def head(target: str, **headers: str) -> RequestHead:
    return parse_head(upgrade_request(target, **headers))


def plain(target: str, *lines: str) -> RequestHead:
    return parse_head("\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *lines, "", ""]).encode())


def refused(request: RequestHead) -> int:
    with pytest.raises(Refusal) as refusal:
        is_plain(request)
    return refusal.value.status


class TestRouting:
    @pytest.mark.parametrize("target", ["/", "/boards/demo", "/api/boards", "/ws", "/yjs/demo"])
    def test_a_request_without_an_upgrade_is_for_the_web(self, target: str) -> None:
        assert is_plain(plain(target))

    def test_a_websocket_on_a_board_is_not(self) -> None:
        assert not is_plain(head("/ws/boards/demo"))

    def test_a_socket_path_without_an_upgrade_says_what_it_needs(self) -> None:
        assert refused(plain("/ws/boards/demo")) is HTTPStatus.UPGRADE_REQUIRED

    @pytest.mark.parametrize("target", ["/", "/ws", "/wsx", "/yjs/demo", "/%77s/boards/demo"])
    def test_a_websocket_elsewhere_is_not_found(self, target: str) -> None:
        assert refused(head(target)) is HTTPStatus.NOT_FOUND

    @pytest.mark.parametrize("target", ["/", "/ws/boards/demo"])
    @pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "websocket, h2c"])
    def test_another_protocol_is_not_found(self, target: str, protocol: str) -> None:
        request = plain(target, f"Upgrade: {protocol}", "Connection: Upgrade, HTTP2-Settings")
        assert refused(request) is HTTPStatus.NOT_FOUND

    @pytest.mark.parametrize("protocol", ["h2c", "websocket"])
    def test_an_upgrade_that_only_some_would_see_is_not_found(self, protocol: str) -> None:
        # Hypercorn changes to HTTP/2 for this header alone, without a Connection.
        assert refused(plain("/", f"Upgrade: {protocol}")) is HTTPStatus.NOT_FOUND


class TestBoard:
    @pytest.mark.parametrize(
        ("path", "board_id"),
        [
            ("demo", "demo"),
            ("a" * 128, "a" * 128),
            ("A-z_0.9:~", "A-z_0.9:~"),
            ("%64emo", "demo"),
            ("demo?x=/", "demo"),
            ("..", ".."),
        ],
    )
    def test_is_named_by_the_path(self, path: str, board_id: str) -> None:
        assert read_handshake(head(f"/ws/boards/{path}"), NONE).board_id == board_id

    @pytest.mark.parametrize(
        "path",
        ["", "a/b", "a%2Fb", "a%20b", "a+b", "%00", "%C3%A9", "%ff", "%zz", "%", "a" * 129],
    )
    def test_has_an_id_of_few_characters(self, path: str) -> None:
        with pytest.raises(Refusal) as refusal:
            read_handshake(head(f"/ws/boards/{path}"), NONE)
        assert refusal.value.status is HTTPStatus.BAD_REQUEST

    @pytest.mark.parametrize("target", ["/ws/", "/ws/board/demo", "/ws/boards", "/ws//boards/a"])
    def test_is_nowhere_else(self, target: str) -> None:
        with pytest.raises(Refusal) as refusal:
            read_handshake(head(target), NONE)
        assert refusal.value.status is HTTPStatus.NOT_FOUND

    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
    def test_any_target_is_a_handshake_or_a_refusal(self, text: str) -> None:
        try:
            handshake = read_handshake(head(f"/ws/boards/{text}"), NONE)
        except Refusal:
            return
        assert handshake.board_id


def test_a_foreign_page_is_forbidden() -> None:
    with pytest.raises(Refusal) as refusal:
        read_handshake(head("/ws/boards/demo", Origin="https://evil.example"), NONE)
    assert refusal.value.status is HTTPStatus.FORBIDDEN


class TestAccepting:
    def test_answers_101_without_extensions(self) -> None:
        upgrade = accepted(upgrade_request(Sec_WebSocket_Extensions="permessage-deflate"))
        status, *lines = upgrade.response.decode().split("\r\n")
        headers = [line.lower() for line in lines]
        assert status == "HTTP/1.1 101 Switching Protocols"
        assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in headers
        assert upgrade.response.endswith(b"\r\n\r\n")
        assert not [line for line in headers if line.startswith("sec-websocket-ext")]
        assert upgrade.protocol.state is State.OPEN

    def test_selects_the_subprotocol_among_those_offered(self) -> None:
        offer = upgrade_request(Sec_WebSocket_Protocol="bearer.x, presence.v1")
        assert b"\r\nSec-WebSocket-Protocol: presence.v1\r\n" in accepted(offer).response

    def test_refuses_more_subprotocols_than_anybody_offers(self) -> None:
        offer = ",".join(["other"] * 63 + ["presence.v1"])
        assert (
            b": presence.v1\r\n" in accepted(upgrade_request(Sec_WebSocket_Protocol=offer)).response
        )
        with pytest.raises(Refusal, match="subprotocols") as refusal:
            accepted(upgrade_request(Sec_WebSocket_Protocol="x," + offer))
        assert refusal.value.status is HTTPStatus.BAD_REQUEST

    @pytest.mark.parametrize("offer", [{}, {"Sec_WebSocket_Protocol": "other"}])
    def test_does_without_a_subprotocol(self, offer: dict[str, str]) -> None:
        assert b"Sec-WebSocket-Protocol" not in accepted(upgrade_request(**offer)).response

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"Sec-WebSocket-Version: 13\r\n", b""),
            (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"),
            (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"c2hvcnQ="),
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"!"),
            (b"GET", b"POST"),
            (b"Host: test\r\n", b"Host: test\r\nUpgrade: h2c\r\n"),
        ],
    )
    def test_a_malformed_handshake_is_a_bad_request(self, old: bytes, new: bytes) -> None:
        with pytest.raises(Refusal) as refusal:
            accepted(upgrade_request().replace(old, new))
        assert refusal.value.status is HTTPStatus.BAD_REQUEST


def accepted(request: bytes) -> Accepted:
    return accept(read_handshake(parse_head(request), NONE), 1000)
