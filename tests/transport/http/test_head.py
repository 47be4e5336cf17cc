"""The request head is read strictly: what two readers could read differently is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.transport.http.head import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    BadRequest,
    HeadReader,
    RequestHead,
    may_become_head,
    parse_head,
)

GOOD = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"


def with_headers(*lines: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


def test_a_plain_request_is_taken_apart() -> None:
    head = parse_head(b"GET /a?b=c HTTP/1.1\r\nHost:x:1\r\nX-Two:  a b \t\r\nx-two: \xe9\r\n\r\n")
    assert head == RequestHead("GET", "/a?b=c", [("host", "x:1"), ("x-two", "a b"), ("x-two", "é")])
    assert head.get("x-two") == "a b"
    assert head.get_all("x-two") == ["a b", "é"]
    assert head.get("x-three") is None
    assert head.get_all("x-three") == []


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "PRI * HTTP/2.0",
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET ftp://x/ HTTP/1.1",
        "GET http:/x HTTP/1.1",
        "GET http://x/\x7f HTTP/1.1",
        "GET x:80 HTTP/1.1",
        "GET //\x7f HTTP/1.1",
        "GET /\xe9 HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT x:443 HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "G(T / HTTP/1.1",
        "",
        "\x16\x03\x01\x02",
    ],
)
def test_a_request_line_that_is_not_ours_is_refused(line: str) -> None:
    with pytest.raises(BadRequest):
        parse_head(line.encode("latin-1") + b"\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        "no colon",
        ": no name",
        "Name : value",
        " Folded: line",
        "\tfolded",
        "Na me: value",
        "Name: a\nb",
        "Name: a\rb",
        "Name: a\x00b",
        "Name: a\x7fb",
        "Nämé: a",
        "",
    ],
)
def test_a_malformed_header_line_is_refused(line: str) -> None:
    with pytest.raises(BadRequest):
        parse_head(with_headers(line))


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Length: 1", "Content-Length: 2"],
        ["Content-Length: 1", "Transfer-Encoding: chunked"],
        ["transfer-encoding: chunked", "content-LENGTH: 0"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: \x0bchunked"],
        ["Content-Length: 1, 1"],
        ["Content-Length: +1"],
        ["Content-Length: -1"],
        ["Content-Length: 0x1"],
        ["Content-Length: 1_0"],
        ["Content-Length: \xb2"],
        ["Content-Length:"],
        ["Host: y"],
    ],
)
def test_what_two_readers_could_end_differently_is_refused(headers: list[str]) -> None:
    with pytest.raises(BadRequest):
        parse_head(with_headers(*headers))


def test_one_length_or_one_encoding_is_fine() -> None:
    assert parse_head(with_headers("Content-Length: 12")).get("content-length") == "12"
    assert parse_head(with_headers("Transfer-Encoding: Chunked")).method == "POST"


def test_a_request_needs_one_host() -> None:
    with pytest.raises(BadRequest, match="Host"):
        parse_head(b"GET / HTTP/1.1\r\n\r\n")


def test_more_headers_than_anybody_sends_are_refused_before_they_are_read() -> None:
    lines = [f"X-{number}: y" for number in range(MAX_HEADERS - 1)]
    assert len(parse_head(with_headers(*lines)).headers) == MAX_HEADERS
    with pytest.raises(BadRequest, match="more than 100 headers"):
        parse_head(with_headers(*lines, "malformed"))


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "..", "a..b", ".a", "a" * 64, f"a.{'b' * 64}", "a b", "a/b", "a@b", "a:b"),
        *("a:123456", "[::1", "[x]", "é", "a,b", "a%41"),
    ],
)
def test_a_host_that_is_no_name_or_address_is_refused(host: str) -> None:
    with pytest.raises(BadRequest, match="Host"):
        parse_head(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))


@pytest.mark.parametrize(
    "host",
    [
        "x",
        "a.b.",
        "A-b_c:8000",
        "127.0.0.1:1",
        "[::1]",
        "[::ffff:1.2.3.4]:443",
        "xn--e1afmkfd",
        "a" * 63,
    ],
)
def test_a_host_that_is_one_is_taken(host: str) -> None:
    head = parse_head(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert head.get("host") == host


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\nHost: x\n\n", GOOD.replace(b"\r\n", b"\n")])
def test_bare_line_feeds_end_no_line(data: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(data)


@pytest.mark.parametrize(
    ("headers", "upgrade"),
    [
        (["Upgrade: WebSocket", "Connection: keep-alive, UPGRADE"], "websocket"),
        (["Upgrade: h2c", "Connection: close", "Connection: Upgrade"], "h2c"),
        (["Upgrade: websocket"], None),
        (["Connection: upgrade"], None),
        (["Upgrade: websocket", "Connection: upgrades"], None),
    ],
)
def test_an_upgrade_is_asked_for_with_two_headers(headers: list[str], upgrade: str | None) -> None:
    assert parse_head(with_headers(*headers)).upgrade == upgrade


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(lambda tail: GOOD + tail)))
def test_any_bytes_are_a_head_or_a_bad_request(data: bytes) -> None:
    try:
        head = parse_head(data)
    except BadRequest:
        return
    assert head.target.startswith("/")
    assert len(head.get_all("host")) == 1


@given(
    st.lists(
        st.tuples(
            st.text("abcXYZ-_09", min_size=1),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
        ),
        max_size=10,
    )
)
def test_a_well_formed_head_is_read_back(headers: list[tuple[str, str]]) -> None:
    headers = [pair for pair in headers if pair[0].lower() != "host"]
    head = parse_head(with_headers(*(f"{name}: {value}" for name, value in headers)))
    assert head.headers[0] == ("host", "x")
    assert list(head.headers[1:]) == [(name.lower(), value) for name, value in headers]


@pytest.mark.parametrize(
    ("data", "may"),
    [
        (b"G", True),
        (b"GET / HT", True),
        (b"GET / HTTP/1.1\r", True),
        (GOOD, True),
        (b"PRI * HTTP/2.0\r\n", False),
        (b"GET / HTTP/1.0\r\n", True),
        (b"GET / HTTP/0.9\r\n", False),
        (b"\x16\x03\x01", False),
        (b"\r\nGET / HTTP/1.1\r\n", False),
        (b" GET", False),
        (b"{}", False),
    ],
)
def test_what_cannot_become_a_head_is_told_early(data: bytes, may: bool) -> None:
    assert may_become_head(data) is may


@given(st.integers(0, len(GOOD)))
def test_no_beginning_of_a_good_head_is_given_up(size: int) -> None:
    assert may_become_head(GOOD[:size])


@given(st.lists(st.integers(1, 5), max_size=20), st.binary(max_size=20))
def test_a_head_in_pieces_is_the_head_in_one(sizes: list[int], rest: bytes) -> None:
    data, reader, position = GOOD + rest, HeadReader(), 0
    for size in sizes:
        found = reader.feed(data[position : position + size])
        position += size
        if found is not None:
            break
    else:
        found = reader.feed(data[position:])
        position = len(data)
    assert found == (GOOD, data[len(GOOD) : position])


def test_a_reader_gives_up_early_and_late() -> None:
    with pytest.raises(BadRequest, match="not an HTTP"):
        HeadReader().feed(b"\x16\x03")
    with pytest.raises(EOFError):
        HeadReader().feed(b"")
    reader = HeadReader()
    assert reader.feed(GOOD[:20]) is None
    with pytest.raises(BadRequest, match="ends in the middle"):
        reader.feed(b"")
    with pytest.raises(BadRequest, match="longer than"):
        HeadReader().feed(GOOD[:-2] + b"X: " + b"y" * MAX_HEAD_BYTES)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=10))
def test_any_pieces_are_a_head_or_a_bad_request(pieces: list[bytes]) -> None:
    reader = HeadReader()
    for piece in pieces:
        try:
            found = reader.feed(piece)
        except BadRequest:
            return
        if found is not None:
            assert found[0].endswith(b"\r\n\r\n")
            return


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        ("http://board.example/a?b=c", "/a?b=c", "board.example"),
        ("HTTPS://board.example:8443/", "/", "board.example:8443"),
        ("http://board.example", "/", "board.example"),
        ("http://[::1]:80?b", "/?b", "[::1]:80"),
    ],
)
def test_a_target_with_a_host_is_a_path_on_that_host(target: str, path: str, host: str) -> None:
    head = parse_head(f"GET {target} HTTP/1.1\r\nHost: other\r\nX: y\r\n\r\n".encode())
    assert (head.target, head.get_all("host"), head.is_changed) == (path, [host], True)
    assert head.encode() == f"GET {path} HTTP/1.1\r\nhost: {host}\r\nx: y\r\n\r\n".encode()
    assert parse_head(head.encode()) == msgspec.structs.replace(head, is_changed=False)


@pytest.mark.parametrize("host", ["", "a@b", "a b", "x:y", "a" * 64])
def test_a_target_with_a_bad_host_is_refused(host: str) -> None:
    with pytest.raises(BadRequest):
        parse_head(f"GET http://{host}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def test_a_target_with_a_host_still_needs_the_header_in_http_1_1() -> None:
    with pytest.raises(BadRequest):
        parse_head(b"GET http://x/ HTTP/1.1\r\n\r\n")


class TestHttp10:
    def test_needs_no_host(self) -> None:
        head = parse_head(b"GET /a HTTP/1.0\r\n\r\n")
        assert (head.version, head.get("host"), head.is_changed) == ("HTTP/1.0", "localhost", True)

    def test_with_a_host_is_as_it_came(self) -> None:
        head = parse_head(b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n")
        assert (head.version, head.get("host"), head.is_changed) == ("HTTP/1.0", "x", False)

    def test_has_no_upgrade(self) -> None:
        head = parse_head(
            b"GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert head.upgrade is None

    @pytest.mark.parametrize("line", ["Transfer-Encoding: chunked", "Host: x\r\nHost: y"])
    def test_is_read_as_strictly(self, line: str) -> None:
        with pytest.raises(BadRequest):
            parse_head(f"POST / HTTP/1.0\r\n{line}\r\n\r\n".encode())
