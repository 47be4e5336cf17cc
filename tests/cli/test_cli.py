"""The command line: exit codes, one line for each problem, and no traceback."""

from __future__ import annotations

import fcntl
import io
import json
import platform
import re
import socket
import sqlite3
import ssl
import subprocess
from pathlib import Path

import jwt
import pytest
import trio
from trio.testing import MockClock

from presence_server import __version__
from presence_server.cli import load, run
from presence_server.cli.picture import line_of, screen
from presence_server.cli.watch import follow, local_url
from presence_server.client import Disconnected, connect
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import (
    Error,
    ErrorPayload,
    HeartbeatAck,
    HeartbeatAckPayload,
    PresenceChanged,
    PresenceChangedPayload,
    UserJoined,
    UserJoinedPayload,
    UserLeft,
    UserLeftPayload,
)
from presence_server.protocol.model import LeaveReason, PresenceStatus
from tests.client.fake_server import METADATA, FakeServer, closing, joined, queued, user, welcoming
from tests.command import server_command

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "PRESENCE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


class TestEveryCommand:
    def test_explains_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["--help"]) == 0
        out = capsys.readouterr().out
        for command in ("serve", "migrate", "check-config", "token", "watch", "load"):
            assert command in out
            assert run([command, "--help"]) == 0

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["--version"]) == 0
        first, build, inside = capsys.readouterr().out.splitlines()
        assert first == f"presence-server {__version__}"
        assert build.startswith("Python package, commit ")
        assert inside == (
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
            + " ".join(ssl.OPENSSL_VERSION.split()[:2])
        )

    def test_usage_errors_are_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["nonsense"]) == 2
        assert "nonsense" in capsys.readouterr().err

    def test_runs_as_a_module(self) -> None:
        done = subprocess.run(
            server_command("--version"),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout.startswith("presence-server ")


class TestServe:
    def test_tells_each_problem_in_a_line_and_exits_with_two(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["serve", "--port", "70000", "--redis", "http://x"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert [line.split(":")[:2] for line in lines] == [
            ["presence-server", " server.port"],
            ["presence-server", " redis.url"],
        ]

    def test_says_which_address_it_cannot_have(
        self, capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        # A process of its own: serving configures the logging of the whole process.
        done = subprocess.run(
            [
                *server_command("serve"),
                *("--host", "192.0.2.1", "--port", "0"),
                *("--database", f"sqlite:///{tmp_path}/presence.db"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "PRESENCE_AUTH__ALLOW_ANONYMOUS": "true",
            },
        )
        assert done.returncode == 75
        last = done.stderr.splitlines()[-1]
        assert last.startswith("presence-server: server.host")
        assert "192.0.2.1" in last
        assert "Traceback" not in done.stderr


class TestCheckConfig:
    def test_is_content_with_the_defaults(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["check-config"]) == 0
        assert capsys.readouterr().out == "the settings are fine\n"

    def test_lists_every_problem(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "c.toml"
        path.write_text("[board]\ncapcity = 3\nidle_after_s = 500\n[server]\nport = -1")
        assert run(["check-config", "--config", str(path)]) == 2
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 2
        assert "did you mean board.capacity?" in err
        assert "server.port" in err

    def test_opens_the_certificate(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        path = tmp_path / "c.toml"
        path.write_text(f'[server]\ntls_certfile = "{tmp_path}/none.pem"')
        assert run(["check-config", "--config", str(path)]) == 2
        assert "server.tls_certfile" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("server.tls_certfile", "none.pem"),
            ("server.host", "no name"),
            ("database.url", "sqlite://"),
            ("database.url", "sqlite:///:memory:"),
            ("redis.url", "redis://h/0?foo=bar"),
        ],
    )
    def test_finds_what_serve_refuses_and_says_it_in_the_same_words(
        self, tmp_path: Path, setting: str, value: str
    ) -> None:
        section, _, key = setting.partition(".")
        path = tmp_path / "c.toml"
        lines = ["[auth]", "allow_anonymous = true", f"[{section}]", f'{key} = "{value}"']
        path.write_text("\n".join(lines))
        said = []
        for command in ("check-config", "serve"):
            done = subprocess.run(
                server_command(command, "--config", str(path)),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env={"PYTHONPATH": str(Path(__file__).parents[2])},
            )
            said.append((done.returncode, done.stderr))
        assert said[0] == said[1]
        code, text = said[0]
        assert code == 2
        assert text.startswith(f"presence-server: {setting}")
        assert len(text.splitlines()) == 1

    def test_lists_problems_of_several_parts(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        path = tmp_path / "c.toml"
        path.write_text(
            '[server]\ntls_certfile = "none.pem"\n[redis]\nurl = "redis://h?foo=1"\n'
            '[database]\nurl = "sqlite://"'
        )
        assert run(["check-config", "--config", str(path)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert [line.split()[1].strip(",:") for line in lines] == [
            "server.tls_certfile",
            "database.url",
            "redis.url",
        ]

    def test_is_content_while_the_server_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as running:
            monkeypatch.setenv("PRESENCE_SERVER__PORT", str(running.getsockname()[1]))
            assert run(["check-config"]) == 0

    def test_needs_its_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["check-config", "--config", "none.toml"]) == 2
        assert capsys.readouterr().err == "presence-server: none.toml: No such file or directory\n"


class TestMigrate:
    def test_goes_up_and_down(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        database = ["--database", f"sqlite:///{tmp_path}/presence.db"]
        assert run(["migrate", "status", *database]) == 1
        assert capsys.readouterr().out.startswith("no tables: this release needs ")
        assert run(["migrate", "up", *database]) == 0
        assert run(["migrate", "up", *database]) == 0
        assert run(["migrate", "status", *database]) == 0
        assert capsys.readouterr().out.endswith(": up to date\n")
        assert run(["migrate", "down", "base", "--yes", *database]) == 0
        assert capsys.readouterr().out == "no tables left\n"

    def test_goes_down_only_after_a_yes(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        database = ["--database", f"sqlite:///{tmp_path}/presence.db"]
        assert run(["migrate", "up", *database]) == 0
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        assert run(["migrate", "down", "base", *database]) == 2
        assert "add --yes" in capsys.readouterr().err
        for answer, tables in (("n\n", True), ("", True), ("y\n", False)):
            monkeypatch.setattr("sys.stdin", Terminal(answer))
            code = run(["migrate", "down", "base", *database])
            assert code == (130 if tables else 0)
            assert run(["migrate", "status", *database]) == (0 if tables else 1)

    def test_goes_down_only_while_no_server_uses_the_database(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        database = ["--database", f"sqlite:///{tmp_path}/presence.db"]
        assert run(["migrate", "up", *database]) == 0
        with (tmp_path / "presence.db.lock").open("w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            assert run(["migrate", "down", "base", "--yes", *database]) == 75
        (line,) = capsys.readouterr().err.splitlines()
        assert "a server uses" in line
        assert "stop it first" in line
        assert run(["migrate", "status", *database]) == 0
        assert run(["migrate", "down", "base", "--yes", *database]) == 0

    def test_says_what_is_wrong_with_the_store(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["migrate", "up", "--database", "sqlite:////dev/null/x.db"]) == 2
        err = capsys.readouterr().err
        assert err.startswith("presence-server: ")
        assert err.count("\n") == 1


class TestToken:
    def test_is_signed_with_the_secret_and_says_what_was_asked(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PRESENCE_AUTH__JWT_SECRET", SECRET)
        monkeypatch.setenv("PRESENCE_AUTH__JWT_AUDIENCE", "boards")
        arguments = ["--user", "u1", "--board", "a", "--board", "team-*", "--name", "Una"]
        arguments += ["--expires-in", "60", "--client-profile"]
        assert run(["token", *arguments]) == 0
        claims = jwt.decode(
            capsys.readouterr().out.strip(), SECRET, algorithms=["HS256"], audience="boards"
        )
        assert claims["sub"] == "u1"
        assert claims["boards"] == ["a", "team-*"]
        assert (claims["name"], claims["profile"]) == ("Una", "client")
        assert claims["exp"] - claims["iat"] == 60
        assert "picture" not in claims

    @pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1", "1e400", "99999999999"])
    def test_holds_for_a_time_that_there_is(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, seconds: str
    ) -> None:
        monkeypatch.setenv("PRESENCE_AUTH__JWT_SECRET", SECRET)
        assert run(["token", "--user", "u", "--board", "b", "--expires-in", seconds]) == 2
        assert "--expires-in" in capsys.readouterr().err

    def test_may_name_its_key(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PRESENCE_AUTH__JWT_KEYS", json.dumps({"k1": SECRET}))
        assert run(["token", "--user", "u", "--board", "b", "--kid", "k1"]) == 0
        assert jwt.get_unverified_header(capsys.readouterr().out.strip())["kid"] == "k1"
        assert run(["token", "--user", "u", "--board", "b", "--kid", "k2"]) == 2

    @pytest.mark.parametrize(
        ("environ", "setting"),
        [
            ({}, "auth.jwt_secret"),
            ({"PRESENCE_AUTH__JWT_SECRET": "-----BEGIN PUBLIC KEY-----"}, "auth"),
            (
                {"PRESENCE_AUTH__JWT_SECRET": SECRET, "PRESENCE_AUTH__JWT_ALGORITHMS": "RS256"},
                "auth.jwt_algorithms",
            ),
        ],
    )
    def test_needs_a_secret_that_signs(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        environ: dict[str, str],
        setting: str,
    ) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert run(["token", "--user", "u", "--board", "b"]) == 2
        assert capsys.readouterr().err.startswith(f"presence-server: {setting}")


class TestWatch:
    def test_says_where_nothing_listens(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["watch", "b1", "--server", "127.0.0.1:1"]) == 2
        assert capsys.readouterr().err == (
            "presence-server: cannot connect to 127.0.0.1:1: Connection refused\n"
        )

    @pytest.mark.parametrize(
        ("environ", "url"),
        [
            ({}, "http://127.0.0.1:8000"),
            ({"HOST": "0.0.0.0", "PORT": "9"}, "http://127.0.0.1:9"),
            ({"HOST": "::1", "TLS_CERTFILE": "/c.pem"}, "https://[::1]:8000"),
        ],
    )
    def test_watches_the_server_of_the_settings(
        self, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], url: str
    ) -> None:
        monkeypatch.setenv("PRESENCE_AUTH__ALLOW_ANONYMOUS", "true")
        for name, value in environ.items():
            monkeypatch.setenv(f"PRESENCE_SERVER__{name}", value)
        assert local_url(None) == url

    async def test_writes_a_line_for_each_event(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        arrival = UserJoined(UserJoinedPayload(user("you"), 0))
        server = FakeServer(nursery, closing(CloseCode.CLEAN_LEAVE, "", joined(), arrival))
        out = io.StringIO()
        async with connect("h", "b1", open_stream=server.open_stream) as client:
            await follow(client, out)
        assert out.getvalue() == "00:00:00 joined, 1 present: me\n00:00:00 + you (You)\n"

    async def test_draws_a_list_on_a_terminal(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        arrival = UserJoined(UserJoinedPayload(user("you"), 0))
        server = FakeServer(nursery, welcoming(joined(), arrival))
        out = Terminal()
        async with connect("h", "b1", open_stream=server.open_stream) as client:
            nursery.start_soon(follow, client, out)
            await trio.sleep(1)
        last = out.getvalue().split("\x1b[2J")[-1]
        assert "b1: 2 present" in last
        assert "You" in last


class TestPicture:
    def test_of_events_in_words(self) -> None:
        change = PresenceChangedPayload("you", PresenceStatus.IDLE, False, METADATA, 1000)
        assert [
            line_of(queued(3)),
            line_of(UserLeft(UserLeftPayload("you", LeaveReason.TIMEOUT, 61_000))),
            line_of(PresenceChanged(change)),
            line_of(Error(ErrorPayload(ErrorCode.RATE_LIMITED, "too\nmuch"))),
            line_of(Disconnected(1012, "restart", 2.25)),
            line_of(HeartbeatAck(HeartbeatAckPayload(1))),
        ] == [
            "queued: position 3 of 3",
            "00:01:01 - you (timeout)",
            "00:00:01   you is idle, reconnecting",
            "error: RATE_LIMITED: too�much",
            "lost: restart; back in 2.2 s",
            None,
        ]

    def test_steers_no_terminal_with_the_names_of_others(self) -> None:
        line = line_of(UserJoined(UserJoinedPayload(user("\x1b[2Jevil\n"), 0)))
        assert line is not None
        assert "\x1b" not in line
        assert "\n" not in line

    async def test_of_a_queue_shows_the_place(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(queued(4)))
        async with connect("h", "b1", open_stream=server.open_stream) as client:
            assert "you are number 4 in the queue" in screen(client)
        assert "closed" in screen(client)


class TestLoad:
    def test_leaves_other_machines_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["load", "--server", "http://presence.example"]) == 2
        assert "--allow-remote" in capsys.readouterr().err
        assert run(["load", "--server", "ftp://x"]) == 2

    def test_fails_if_nobody_joined(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--server", "127.0.0.1:1", "--users", "2", "--seconds", "1"]
        assert run(["load", *arguments]) == 1
        out = capsys.readouterr().out
        assert "joined     0, queued 0, failed 2" in out
        assert re.search(r"2 x cannot connect to 127\.0\.0\.1:1", out)

    def test_spreads_are_of_the_measurements(self) -> None:
        plan = load.Plan("h", 1, 1, 1, 1, "x", "y")
        tally = load.Tally(join_seconds=[n / 1000 for n in range(1, 101)])
        assert "p50 50.0 ms, p99 99.0 ms, max 100.0 ms" in load.summary(plan, tally)

    def test_walks_stay_on_the_canvas_and_know_their_steps_again(self) -> None:
        walk = load.Walk(3)
        places = [walk.next(float(second)) for second in range(1000)]
        assert all(0 <= x <= load.WIDTH and 0 <= y <= load.HEIGHT for x, y in places)
        assert len(set(places)) == 1000
        assert [walk.sent_at(place) for place in (places[-1], places[-64], places[0])] == [
            999,
            936,
            None,
        ]

    def test_boards_have_a_number_when_there_are_several(self) -> None:
        one = load.Plan("h", 4, 1, 1, 1, "demo", "y")
        two = load.Plan("h", 4, 2, 1, 1, "demo", "y")
        assert [one.board_of(n) for n in range(2)] == ["demo", "demo"]
        assert [two.board_of(n) for n in range(3)] == ["demo-1", "demo-2", "demo-1"]
