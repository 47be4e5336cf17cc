"""The specification for client developers says what the server's own code says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import pytest

from presence_server.core import announce
from presence_server.protocol.decode import decode, read_update
from presence_server.protocol.errors import RECONNECT, BadMessage, CloseCode, ErrorCode, Reconnect
from presence_server.protocol.messages import (
    ClientMessage,
    Error,
    PresenceUpdate,
    ServerMessage,
    UserObject,
    decode_server,
    encode,
    encode_users,
)
from presence_server.settings import Settings, setting_kinds

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "websocket-events-specification.md").read_text(encoding="utf-8")

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_IN_BACKTICKS = re.compile(r"`([^`\n]+)`")
_NOT_SENT = {1005, 1006}
"""What browsers report where there was no code; never in a frame."""


class Example(NamedTuple):
    """One fenced block, and the line it begins at."""

    info: str
    body: str
    line: int


EXAMPLES = [
    Example(found["info"].strip(), found["body"], TEXT.count("\n", 0, found.start()) + 1)
    for found in _FENCE.finditer(TEXT)
]
PROSE = _FENCE.sub("", TEXT)


def examples(kind: str) -> list[Example]:
    return [e for e in EXAMPLES if e.info.partition(" ")[2] == kind]


def each(kind: str) -> pytest.MarkDecorator:
    found = examples(kind)
    return pytest.mark.parametrize("example", found, ids=[f"line{e.line}" for e in found])


def tags(union: object) -> set[str]:
    found = set()
    for struct in get_args(union):
        tag = struct.__struct_config__.tag
        assert isinstance(tag, str)
        found.add(tag)
    return found


def types_of(kind: str) -> set[str]:
    return {json.loads(e.body)["type"] for e in examples(kind)}


def error_of(example: Example) -> tuple[str, str]:
    payload = json.loads(example.body)["payload"]
    return payload["code"], payload["message"]


def tables() -> Iterator[list[list[str]]]:
    """Every table of the document: its rows as cells, header first."""
    rows: list[list[str]] = []
    for line in [*PROSE.splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not set(cells[0]) <= {"-"}:
                rows.append(cells)
        elif rows:
            yield rows
            rows = []


def table(*header: str) -> list[list[str]]:
    found = [rows[1:] for rows in tables() if tuple(rows[0][: len(header)]) == header]
    assert len(found) == 1, f"{len(found)} tables begin with {header}"
    return found[0]


def backticked() -> set[str]:
    return set(_IN_BACKTICKS.findall(PROSE))


def read(text: bytes) -> ClientMessage:
    """Take a client's message as far as a server without a board can."""
    message = decode(text)
    if isinstance(message, PresenceUpdate):
        read_update(message.payload, "demo")
    return message


def refusal(text: bytes) -> BadMessage:
    with pytest.raises(BadMessage) as refused:
        read(text)
    return refused.value


# --- the examples -----------------------------------------------------------


@each("server")
def test_a_server_example_has_exactly_the_fields_of_the_event(example: Example) -> None:
    assert json.loads(encode(decode_server(example.body))) == json.loads(example.body)


@each("client")
def test_a_client_example_is_a_good_message(example: Example) -> None:
    message = read(example.body.encode())
    known = json.loads(encode(message))["payload"]
    given = json.loads(example.body)["payload"]
    assert known == given, "a field that the server ignores is no example"


@each("user")
def test_the_user_object_has_exactly_its_fields(example: Example) -> None:
    user = msgspec.json.decode(example.body, type=UserObject)
    assert json.loads(encode_users([user])) == [json.loads(example.body)]


@each("bad")
def test_a_bad_example_gets_the_error_shown_below_it(example: Example) -> None:
    answer = EXAMPLES[EXAMPLES.index(example) + 1]
    error = refusal(example.body.strip().encode())
    assert error_of(answer) == (error.code, error.message)


def test_errors_without_a_short_cause_are_shown_as_the_server_sends_them() -> None:
    shown = {error_of(e)[0]: json.loads(e.body) for e in examples("server") if "error" in e.body}
    for sent in (announce.board_full(), announce.not_joined()):
        assert shown[sent.payload.code] == json.loads(encode(sent))


def test_too_much_metadata_gets_the_error_shown() -> None:
    update = {"type": "presence:update", "payload": {"metadata": {"a": "x" * 3000}}}
    error = refusal(json.dumps(update).encode())
    assert (error.code, error.message) in [
        error_of(e) for e in examples("server") if json.loads(e.body)["type"] == "error"
    ]


def test_every_json_block_is_labelled_or_a_client_message() -> None:
    for example in EXAMPLES:
        if example.info == "json":
            decode(example.body.encode())
        elif example.info not in ("", "mermaid"):
            language, _, kind = example.info.partition(" ")
            assert (language, kind) in {
                ("json", "client"),
                ("json", "server"),
                ("json", "user"),
                ("json", "http"),
                ("json", "bad"),
                ("text", "bad"),
            }
            if language == "json":
                json.loads(example.body)


# --- completeness, and nothing made up ---------------------------------------


def test_every_event_has_an_example_and_a_heading() -> None:
    assert types_of("client") == tags(ClientMessage)
    assert types_of("server") == tags(ServerMessage)
    headings = re.findall(r"^### `([a-z:]+)`$", TEXT, re.MULTILINE)
    assert sorted(headings) == sorted([*tags(ClientMessage), *tags(ServerMessage)])


def test_no_event_is_named_that_does_not_exist() -> None:
    named = {word for word in backticked() if re.fullmatch(r"[a-z]+:[a-z]+", word)}
    assert named <= tags(ClientMessage) | tags(ServerMessage)


def test_every_error_code_is_in_the_table_and_has_an_example() -> None:
    codes = {code.value for code in ErrorCode}
    assert {row[0].strip("`") for row in table("code", "when")} == codes
    shown = {
        message.payload.code
        for e in examples("server")
        if isinstance(message := decode_server(e.body), Error)
    }
    assert shown == codes


def test_no_error_code_is_named_that_does_not_exist() -> None:
    """HTTP answers have codes of their own: words of the source, or names of statuses."""
    package = ROOT / "presence_server"
    sources = [*(package / "web").glob("*.py"), *(package / "transport").rglob("*.py")]
    words = set(re.findall(r'"([A-Z_]+)"', "".join(p.read_text() for p in sources)))
    of_http = {row[0].strip("`") for row in table("HTTP code")}
    assert of_http <= words | {status.name for status in HTTPStatus}
    named = {word for word in backticked() if re.fullmatch(r"[A-Z]+_[A-Z_]+|INTERNAL", word)}
    assert named <= {code.value for code in ErrorCode} | of_http


def test_every_close_code_is_in_the_table_and_no_other_is_named() -> None:
    codes = {code.value for code in CloseCode}
    assert {int(row[0]) for row in table("code", "meaning")} == codes
    near = re.findall(r"\b(?:closes?|code|with|After|and)\s+(?:with\s+)?([14]\d{3})\b", PROSE)
    assert {int(code) for code in near} <= codes | _NOT_SENT


def test_the_reconnect_column_is_what_the_code_says() -> None:
    words = {"no": Reconnect.NO, "resume": Reconnect.RESUME, "new session": Reconnect.NEW_SESSION}
    said = {int(row[0]): words[row[3].partition(",")[0]] for row in table("code", "meaning")}
    assert said == RECONNECT


def test_every_setting_named_exists_and_has_the_default_shown() -> None:
    kinds = setting_kinds()
    sections = "|".join({name.partition(".")[0] for name in kinds})
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)\b", PROSE))
    assert named <= set(kinds)
    defaults = Settings()
    for name, default in table("setting", "default"):
        section, _, key = name.strip("`").partition(".")
        assert getattr(getattr(defaults, section), key) == float(default), name
