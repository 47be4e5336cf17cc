"""What the pages for operators say is true: settings, numbers, names and commands."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import pytest
from click.testing import CliRunner

from presence_server.cli import cli
from presence_server.metrics import Metrics
from presence_server.protocol import budget, metadata, profile
from presence_server.server import listening
from presence_server.server.metrics_of_all import ProcessNumbers, text_of_all
from presence_server.server.wiring import token_verifier
from presence_server.settings import Settings, load_settings, setting_kinds
from presence_server.settings.sources import FROM_FILES, SHORT_NAMES
from presence_server.storage import migrate
from presence_server.transport.http import head, hypercorn_server
from presence_server.transport.sessions import tokens
from presence_server.transport.sessions.tokens import InvalidToken
from presence_server.transport.wire.closing import CLOSE_TIMEOUT_S
from tests.command import assert_command_parses
from tests.docs.documents import ROOT, Document

OPERATIONS = Document("operations.md")
SECURITY = Document("SECURITY.md")
BOTH = pytest.mark.parametrize("page", [OPERATIONS, SECURITY], ids=["operations", "security"])

COLUMNS = ("setting", "default", "why")


def source() -> str:
    return "".join(path.read_text() for path in (ROOT / "presence_server").rglob("*.py"))


# --- settings -----------------------------------------------------------------


@BOTH
def test_every_setting_named_exists(page: Document) -> None:
    kinds = setting_kinds()
    sections = "|".join({name.partition(".")[0] for name in kinds})
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)(?=[` ])", page.prose))
    assert named
    assert named - {"presence.db"} <= set(kinds)


def test_every_limit_is_in_the_table_with_its_default() -> None:
    rows = {row[0].strip("`"): row[1] for row in OPERATIONS.table(*COLUMNS)}
    assert {name for name in setting_kinds() if name.startswith("limits.")} <= set(rows)
    defaults = Settings()
    for name, default in rows.items():
        section, _, key = name.partition(".")
        assert getattr(getattr(defaults, section), key) == float(default), name


def test_the_limits_that_are_fixed_are_these() -> None:
    (said,) = re.findall(r"^Fixed: (.*?)\n\n", OPERATIONS.prose, re.DOTALL | re.MULTILINE)
    numbers = [int(number) for number in re.findall(r"\d+", said)]
    assert numbers == [
        head.MAX_HEAD_BYTES // 1024,
        head.MAX_HEADERS,
        metadata.MAX_METADATA_BYTES // 1024,
        profile.MAX_USER_ID,
        profile.MAX_DISPLAY_NAME,
        profile.MAX_AVATAR_URL,
        tokens.MAX_TOKEN_CHARACTERS,
        hypercorn_server.MAX_CONCURRENT,
        hypercorn_server.MAX_PER_ADDRESS,
        budget.BAD_MESSAGES,
        budget.BAD_MESSAGES_WINDOW_S,
        4400,
        CLOSE_TIMEOUT_S,
    ]
    assert f"`net.core.somaxconn` of at least {listening.BACKLOG}" in OPERATIONS.prose


def test_every_variable_is_read_and_those_that_name_files_are_all_told() -> None:
    named = set(re.findall(r"\b((?:PRESENCE_[A-Z]+__|DATABASE_|REDIS_)[A-Z_]+)\b", OPERATIONS.text))
    from_files = set()
    for name in named:
        short = SHORT_NAMES.get(name.removesuffix("_FILE"))
        key = short or name.removeprefix("PRESENCE_").removesuffix("_FILE").lower()
        key = key.replace("__", ".")
        assert key in setting_kinds(), name
        if name.endswith("_FILE"):
            from_files.add(key)
    assert from_files == FROM_FILES


def test_the_settings_shown_can_be_loaded(tmp_path: Path) -> None:
    (block,) = OPERATIONS.code("toml")
    path = tmp_path / "config.toml"
    path.write_text(block)
    assert load_settings(path, environ={}).server.trusted_proxies == ("127.0.0.1",)


# --- commands -----------------------------------------------------------------


def test_every_command_of_the_server_has_options_that_exist() -> None:
    ours = [w[1:] for w in OPERATIONS.commands() if w[0].rpartition("/")[2] == "presence-server"]
    assert len(ours) >= 4  # A check that some are found at all.
    for words in ours:
        assert_command_parses(list(takewhile(lambda word: word not in (">", "|"), words)))


def test_every_file_of_the_repository_in_a_command_exists() -> None:
    words = {word for command in OPERATIONS.commands() for word in command}
    files = {word for word in words if re.match(r"(?:config|deploy)/", word)}
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_commands_and_unit_and_image_agree_about_where_things_are() -> None:
    unit = (ROOT / "deploy" / "presence-server.service").read_text()
    for path in ("/opt/presence-server", "/etc/presence-server/config.toml"):
        assert path in OPERATIONS.text
        assert path in unit
    (limit,) = re.findall(r"LimitNOFILE=(\d+)", unit)
    assert f"LimitNOFILE={limit}" in OPERATIONS.prose
    assert f"nofile={limit}:{limit}" in OPERATIONS.text
    (watchdog,) = re.findall(r"WatchdogSec=(\d+)", unit)
    assert f"hangs for {watchdog} s (`WatchdogSec`)" in OPERATIONS.prose


def test_the_command_that_makes_a_secret_makes_one_that_is_taken() -> None:
    found = [command for command in OPERATIONS.commands() if "token_urlsafe" in "".join(command)]
    assert len(found) == 2
    for words, name in zip(found, ("auth.jwt_secret", "auth.admin_token"), strict=True):
        assert words[-1].strip(")").endswith(name.removeprefix("auth."))
        run = [sys.executable, *words[1:3]]
        done = subprocess.run(run, check=True, capture_output=True, text=True)
        Settings.of({name: done.stdout.strip()})


def test_the_backup_of_a_database_in_use_is_whole(tmp_path: Path) -> None:
    (words,) = [command for command in OPERATIONS.commands() if "VACUUM" in "".join(command)]
    live, copy = tmp_path / "presence.db", tmp_path / "copy.db"
    migrate.upgrade(f"sqlite:///{live}")
    with closing(sqlite3.connect(live)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("INSERT INTO server_key VALUES ('committed', X'00', 1)")
        database.commit()
        database.execute("INSERT INTO server_key VALUES ('under way', X'00', 1)")
        subprocess.run([sys.executable, *words[1:3], str(live), str(copy)], check=True)
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT name FROM server_key").fetchall() == [("committed",)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# --- keys ---------------------------------------------------------------------


def test_a_key_is_replaced_as_the_page_says_and_no_token_fails_on_the_way(tmp_path: Path) -> None:
    (block,) = OPERATIONS.code("json")
    keys = json.loads(block)
    old, new = keys
    assert all(f"--kid {new}" in " ".join(w) for w in OPERATIONS.commands() if "--kid" in w)

    def environ(**known: str) -> dict[str, str]:
        path = tmp_path / "keys.json"
        path.write_text(json.dumps(known))
        return {"PRESENCE_AUTH__MODE": "jwt", "PRESENCE_AUTH__JWT_KEYS_FILE": str(path)}

    def minted(kid: str, **known: str) -> str:
        command = ["token", "--user", "ada", "--board", "demo", "--kid", kid]
        return CliRunner(env=environ(**known)).invoke(cli, command).output.strip()

    def takes(token: str, **known: str) -> bool:
        verifier = token_verifier(load_settings(environ=environ(**known)))
        assert verifier is not None
        try:
            verifier.verify(token)
        except InvalidToken:
            return False
        return True

    first = minted(old, **{old: keys[old]})
    assert takes(first, **{old: keys[old]})
    assert takes(first, **keys)
    second = minted(new, **keys)
    assert takes(second, **keys)
    assert takes(second, **{new: keys[new]})
    assert not takes(first, **{new: keys[new]})


# --- names --------------------------------------------------------------------


def test_every_metric_named_exists_and_every_metric_is_named() -> None:
    metrics = Metrics()
    gauges = "connections boards users queue_length store_up cache_up store_backlog tasks timers"
    gauges += " documents document_bytes"
    metrics.observe(**dict.fromkeys(gauges.split(), lambda: 1.0))
    several = ProcessNumbers(metrics.numbers(), {"process_open_fds": 1})
    several.numbers.counters |= {"handovers": 1, "process_restarts": 1}
    text = (metrics.text() + text_of_all({0: several})).decode()
    exported = set(re.findall(r"^([a-z_]+)", text, re.MULTILINE))
    named = set(re.findall(r"\b((?:presence|process)_[a-z_]+)\b", OPERATIONS.prose))
    assert named <= exported
    ours = {name for name in exported if name.startswith("presence_")}
    # The sums and counts of histograms, and when counters began, go without saying.
    assert {n for n in ours if not re.search(r"_(sum|count|created)$", n)} <= named


def test_every_log_event_named_is_one_that_is_logged() -> None:
    (said,) = re.findall(r"and the events (.*?)\.\n", OPERATIONS.prose, re.DOTALL)
    events = re.findall(r"`([^`]+)`", said)
    assert events
    assert [event for event in events if f'"{event}"' not in source()] == []


def test_every_path_asked_is_a_route() -> None:
    paths = {row[0].strip("`") for row in OPERATIONS.table("ask", "answer")}
    assert paths == {"/healthz", "/readyz", "/metrics"}
    assert all(f'"{path}"' in source() for path in paths)


@BOTH
def test_links_lead_to_files_and_headings_that_exist(page: Document) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.prose):
        name, _, heading = target.partition("#")
        path = page.path.parent / name if name else page.path
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
            assert heading in slugs, target


def test_the_proxies_tried_are_those_of_the_tests() -> None:
    for name in ("Caddyfile", "nginx.conf"):
        assert f"[{name}](../deploy/{name})" in OPERATIONS.prose
