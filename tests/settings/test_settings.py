"""Settings: precedence, ranges, and problems that name the setting."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.settings import (
    ServerSettings,
    Settings,
    SettingsError,
    load_server_settings,
    load_settings,
    setting_kinds,
)
from presence_server.settings.sources import nearest

CONFIG = Path(__file__).parents[2] / "config"
ED25519_PEM = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAWoYbm6BQPbcqc3I1JAGhVa+q1Yhhlp0FiOIZWPAJNNo=\n"
    "-----END PUBLIC KEY-----\n"
)
SECRET = "0123456789abcdef0123456789abcdef"


def problems(environ: dict[str, str] | None = None, toml: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(toml, environ=environ or {})
    return caught.value.problems


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


class TestDefaults:
    def test_are_those_of_the_protocol(self) -> None:
        settings = load_settings(environ={})
        assert (settings.server.host, settings.server.port) == (("127.0.0.1",), 8000)
        assert settings.database.url == "sqlite:///var/presence.db"
        assert settings.redis.url is None
        assert settings.auth.mode == "none"
        assert settings.limits.max_message_bytes == 65536

    def test_give_a_room_its_own_defaults(self) -> None:
        limits = load_settings(environ={}).board_limits()
        assert (limits.capacity, limits.heartbeat_interval_s, limits.timeout_s) == (100, 30, 300)
        assert (limits.idle_after_s, limits.away_after_s) == (60, 180)
        assert (limits.leave_grace_s, limits.reconnecting_after_s) == (2, 5)
        assert (limits.reclaim_after_s, limits.cursor_interval_ms) == (45, 50)
        assert (limits.queue_enabled, limits.queue_limit, limits.queue_grace_s) == (True, 1000, 30)

    @pytest.mark.parametrize(
        ("messages_per_s", "cursor_interval_ms", "updates_per_s"),
        [(50, 50, 20), (50, 10, 40), (5, 50, 4), (0.5, 1000, 0.4)],
    )
    def test_give_clients_a_pace_below_the_rate_and_not_above_the_cursors(
        self, messages_per_s: float, cursor_interval_ms: float, updates_per_s: float
    ) -> None:
        settings = Settings.of(
            {
                "limits.messages_per_s": messages_per_s,
                "board.cursor_interval_ms": cursor_interval_ms,
            }
        )
        assert settings.board_limits().updates_per_s == pytest.approx(updates_per_s)

    def test_let_no_address_fill_the_queues_of_all(self) -> None:
        settings = Settings()
        one_address = 2 * settings.limits.connections_per_ip  # Connected, and dropped.
        assert settings.queue.total_limit > one_address

    def test_file_lists_every_setting_with_its_default(self) -> None:
        section = ""
        listed: dict[str, object] = {}
        for line in (CONFIG / "example.toml").read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line.startswith("#~ "):
                listed[f"{section}.{line[3:].split(' = ')[0]}"] = None
            elif section and " = " in line and line.startswith("# "):
                name, _, value = line[2:].partition(" = ")
                if f"{section}.{name}" in setting_kinds():
                    listed[f"{section}.{name}"] = tomllib.loads(f"x = {value}")["x"]
        defaults = json.loads(Settings.of({}).model_dump_json())
        assert listed == {
            f"{section}.{key}": value
            for section, values in defaults.items()
            for key, value in values.items()
        }

    def test_examples_in_the_file_are_valid(self, tmp_path: Path) -> None:
        lines = (CONFIG / "example.toml").read_text().splitlines()
        text = "\n".join(line.removeprefix("#~ ") for line in lines)
        assert load_settings(write(tmp_path / "c.toml", text), environ={}).auth.admin_token

    def test_file_changes_nothing_as_it_is(self) -> None:
        assert load_settings(CONFIG / "example.toml", environ={}) == load_settings(environ={})


class TestPrecedence:
    def test_command_line_wins_over_environment_over_file(self, tmp_path: Path) -> None:
        toml = write(
            tmp_path / "c.toml", "[board]\ncapacity = 1\ntimeout_s = 61\n[queue]\nlimit = 7"
        )
        environ = {"PRESENCE_BOARD__CAPACITY": "2", "PRESENCE_BOARD__TIMEOUT_S": "62"}
        settings = load_settings(toml, {"board.capacity": 3}, environ)
        assert settings.board.capacity == 3
        assert settings.board.timeout_s == 62
        assert settings.queue.limit == 7

    def test_file_is_named_by_the_environment_too(self, tmp_path: Path) -> None:
        toml = write(tmp_path / "c.toml", "[board]\ncapacity = 5")
        assert load_settings(environ={"PRESENCE_CONFIG": str(toml)}).board.capacity == 5

    def test_short_url_names_count_unless_the_long_ones_are_there(self) -> None:
        environ = {"DATABASE_URL": "postgresql://a/b", "REDIS_URL": "redis://c"}
        settings = load_settings(environ=environ)
        assert (settings.database.url, settings.redis.url) == ("postgresql://a/b", "redis://c")
        environ["PRESENCE_DATABASE__URL"] = "sqlite:///x.db"
        assert load_settings(environ=environ).database.url == "sqlite:///x.db"

    def test_of_a_table_is_that_of_the_whole_table(self, tmp_path: Path) -> None:
        leaked, new = "x" * 32, "y" * 32
        text = f'[auth]\nmode = "jwt"\njwt_keys = {{leaked = "{leaked}"}}'
        toml = write(tmp_path / "c.toml", text)
        environ = {"PRESENCE_AUTH__JWT_KEYS": json.dumps({"new": new})}
        assert set(load_settings(toml, environ=environ).auth.keys_by_kid) == {"new"}
        assert set(load_settings(toml, environ={}).auth.keys_by_kid) == {"leaked"}

    def test_empty_variable_is_not_set(self) -> None:
        environ = {"REDIS_URL": "", "PRESENCE_BOARD__CAPACITY": ""}
        assert load_settings(environ=environ) == load_settings(environ={})

    def test_lists_take_commas_or_json_and_tables_json(self) -> None:
        settings = load_settings(
            environ={
                "PRESENCE_AUTH__ALLOWED_ORIGINS": "https://a.example, http://b.example:81",
                "PRESENCE_SERVER__TRUSTED_PROXIES": '["10.0.0.0/8"]',
                "PRESENCE_AUTH__JWT_KEYS": json.dumps({"k1": SECRET}),
            }
        )
        assert settings.auth.allowed_origins == ("https://a.example", "http://b.example:81")
        assert settings.server.trusted_proxies == ("10.0.0.0/8",)
        assert settings.auth.jwt_keys["k1"].get_secret_value() == SECRET

    def test_constructing_reads_nothing_from_outside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PRESENCE_BOARD__CAPACITY", "9")
        monkeypatch.setenv("BOARD", '{"capacity": 9}')
        assert Settings.of({"server.port": 0}).board.capacity == 100
        assert Settings().board.capacity == 100


class TestSecrets:
    def test_come_from_files_without_the_newline(self, tmp_path: Path) -> None:
        secret = write(tmp_path / "secret", SECRET + "\n")
        url = write(tmp_path / "url", "postgresql://u:p@h/d\n")
        settings = load_settings(
            environ={"PRESENCE_AUTH__JWT_SECRET_FILE": str(secret), "DATABASE_URL_FILE": str(url)}
        )
        assert settings.auth.jwt_secret is not None
        assert settings.auth.jwt_secret.get_secret_value() == SECRET
        assert settings.database.url == "postgresql://u:p@h/d"

    def test_given_twice_are_refused(self, tmp_path: Path) -> None:
        secret = write(tmp_path / "secret", SECRET)
        name = "PRESENCE_AUTH__JWT_SECRET"
        (problem,) = problems({name: SECRET, f"{name}_FILE": str(secret)})
        assert problem == f"auth.jwt_secret: set by both {name} and {name}_FILE"

    def test_in_a_missing_file_are_a_problem(self, tmp_path: Path) -> None:
        (problem,) = problems({"REDIS_URL_FILE": str(tmp_path / "none")})
        assert problem.startswith("redis.url: cannot read the file named by REDIS_URL_FILE")

    def test_and_passwords_in_urls_are_never_printed(self) -> None:
        settings = Settings.of(
            {
                "database.url": "postgresql://u:hunter2@h/d",
                "redis.url": "redis://:hunter2@h",
                "auth.jwt_secret": SECRET,
                "auth.admin_token": "hunter2hunter2hunter2",
            }
        )
        assert "hunter2" not in repr(settings)
        assert SECRET not in repr(settings)

    @pytest.mark.parametrize(
        "environ",
        [
            {"PRESENCE_AUTH__JWT_SECRET": "hunter2"},
            {"PRESENCE_AUTH__JWT_KEYS": '{"k": "hunter2"}'},
            {"DATABASE_URL": "mysql://u:hunter2@h/d"},
            {"REDIS_URL": "redis://:hunter2@h:port"},
        ],
    )
    def test_do_not_show_in_problems(self, environ: dict[str, str]) -> None:
        (problem,) = problems(environ)
        assert "hunter2" not in problem

    def test_of_the_admin_routes_cannot_be_empty(self, tmp_path: Path) -> None:
        name = "PRESENCE_AUTH__ADMIN_TOKEN"
        empty = write(tmp_path / "token", "\n")
        assert problems({f"{name}_FILE": str(empty)}) == [
            f"auth.admin_token: must not be empty (from {name}_FILE)"
        ]
        toml = write(tmp_path / "c.toml", '[auth]\nadmin_token = ""')
        (problem,) = problems(toml=toml)
        assert problem.startswith("auth.admin_token: must not be empty")
        for blank in ("", " "):
            assert load_settings(environ={name: blank}).auth.admin_token is None

    @pytest.mark.parametrize(
        "token", ["pässword" * 2, "two lines,\nof a token", "a\ttab in it, long"]
    )
    def test_of_the_admin_routes_can_be_sent_in_a_header(self, token: str) -> None:
        (problem,) = problems({"PRESENCE_AUTH__ADMIN_TOKEN": token})
        assert problem.startswith("auth.admin_token: must be of visible ASCII characters")
        assert token not in problem

    def test_under_32_bytes_are_refused_and_pem_keys_are_not(self) -> None:
        assert problems({"PRESENCE_AUTH__JWT_SECRET": SECRET[:-1]}) == [
            "auth.jwt_secret: a secret needs at least 32 bytes (from PRESENCE_AUTH__JWT_SECRET)"
        ]
        keys = Settings.of({"auth.jwt_keys": {"a": ED25519_PEM}}).auth.keys_by_kid
        assert keys["a"].algorithms == ("EdDSA",)

    def test_of_the_admin_routes_cannot_be_guessed(self) -> None:
        name = "PRESENCE_AUTH__ADMIN_TOKEN"
        for token in ("7", "x" * 15, f"  {'x' * 15}\n"):
            assert problems({name: token}) == [
                f"auth.admin_token: must have at least 16 characters (from {name})"
            ]
        assert load_settings(environ={name: "x" * 16}).auth.admin_token


class TestOfTheServerAlone:
    def test_need_no_secret_of_the_others(self, tmp_path: Path) -> None:
        toml = write(tmp_path / "c.toml", '[server]\nport = 9\n[auth]\nmode = "jwt"\nodd = 1')
        environ = {"PRESENCE_AUTH__JWT_SECRET_FILE": "/nowhere", "PRESENCE_SERVER__HOST": "::1"}
        settings = load_server_settings(toml, environ)
        assert (settings.host, settings.port) == (("::1",), 9)
        assert load_server_settings(environ={}) == ServerSettings()

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("[server]\nport = 70000", "server.port: input should be less than or equal to 65535"),
            ("[server]\nprot = 1", "server.prot: no such setting; did you mean server.port?"),
            ("[server", "not TOML"),
        ],
    )
    def test_name_their_problems(self, tmp_path: Path, text: str, problem: str) -> None:
        with pytest.raises(SettingsError) as caught:
            load_server_settings(write(tmp_path / "c.toml", text), {})
        (line,) = caught.value.problems
        assert problem in line


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("variable", "name"),
        [
            ("PRESENCE_BOARD__CAPACTY", "board.capacty"),
            ("PRESENCE_BORD__CAPACITY", "bord.capacity"),
            ("PRESENCE_BOARD_CAPACITY", "board_capacity"),
            ("PRESENCE_CAPACITY", "capacity"),
        ],
    )
    def test_in_the_environment_name_the_nearest(self, variable: str, name: str) -> None:
        assert problems({variable: "3"}) == [
            f"{name}: no such setting (from {variable}); did you mean board.capacity?"
        ]

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("[board]\ncapcity = 3", "board.capcity"),
            ("[boards]\ncapacity = 3", "boards.capacity"),
            ("capacity = 3", "capacity"),
        ],
    )
    def test_in_the_file_name_the_nearest(self, tmp_path: Path, text: str, name: str) -> None:
        assert problems(toml=write(tmp_path / "c.toml", text)) == [
            f"{name}: no such setting; did you mean board.capacity?"
        ]

    def test_are_not_the_service_variables_of_kubernetes(self) -> None:
        environ = {
            "PRESENCE_SERVICE_HOST": "10.0.0.1",
            "PRESENCE_SERVER_SERVICE_PORT": "80",
            "PRESENCE_SERVER_SERVICE_PORT_HTTP": "80",
            "PRESENCE_PORT": "tcp://10.0.0.1:80",
            "PRESENCE_SERVER_PORT_80_TCP_ADDR": "10.0.0.1",
        }
        assert load_settings(environ=environ) == load_settings(environ={})

    @given(st.sampled_from(sorted(setting_kinds())), st.data())
    def test_with_one_letter_missing_mean_what_was_meant(
        self, setting: str, data: st.DataObject
    ) -> None:
        start = setting.index(".") + 1
        at = data.draw(st.integers(start, len(setting) - 1))
        typo = setting[:at] + setting[at + 1 :]
        assert nearest(typo, setting_kinds()) == setting or typo in setting_kinds()


class TestFiles:
    def test_that_are_missing_or_broken_are_a_problem(self, tmp_path: Path) -> None:
        (missing,) = problems(toml=tmp_path / "none.toml")
        assert missing == f"{tmp_path / 'none.toml'}: No such file or directory"
        (broken,) = problems(toml=write(tmp_path / "c.toml", "[board"))
        assert broken.startswith(f"{tmp_path / 'c.toml'}: not TOML: ")

    def test_production_example_needs_only_its_secrets(self) -> None:
        path = CONFIG / "production.toml"
        assert problems(toml=path) == [
            'auth.mode = "jwt" needs auth.jwt_secret, auth.jwt_public_key or auth.jwt_keys'
        ]
        settings = load_settings(path, environ={"PRESENCE_AUTH__JWT_SECRET": SECRET})
        assert [key.algorithms for key in settings.auth.default_keys] == [("HS256",)]


class TestRules:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("server.port", -1),
            ("server.port", 65536),
            ("server.host", ""),
            ("server.trusted_proxies", ["nonsense"]),
            ("server.tls_keyfile", "key.pem"),
            ("board.capacity", 0),
            ("board.timeout_s", 0),
            ("board.timeout_s", float("inf")),
            ("board.idle_after_s", "soon"),
            ("board.leave_grace_s", -1),
            ("board.cursor_interval_ms", 0),
            ("queue.limit", -1),
            ("auth.mode", "maybe"),
            ("auth.mode", "jwt"),
            ("auth.jwt_algorithms", ["none"]),
            ("auth.allowed_origins", ["https://a.example/path"]),
            ("profile.avatar_hosts", ["https://a.example"]),
            ("limits.messages_per_s", 0),
            ("database.url", "presence.db"),
            ("redis.url", "http://a"),
            ("logging.level", "loud"),
        ],
    )
    def test_refuse_what_is_out_of_range_by_name(self, key: str, value: object) -> None:
        with pytest.raises(SettingsError) as caught:
            Settings.of({key: value})
        assert len(caught.value.problems) == 1
        assert key in caught.value.problems[0]

    def test_accept_fractions_and_zero_where_they_make_sense(self) -> None:
        settings = Settings.of(
            {
                "board.timeout_s": 0.5,
                "board.heartbeat_interval_s": 0.25,
                "board.leave_grace_s": 0,
                "board.cursor_interval_ms": 0.5,
                "queue.limit": 0,
                "server.port": 0,
            }
        )
        assert settings.board_limits().heartbeat_interval_s == 0.25

    def test_refuse_two_combinations_with_both_names(self) -> None:
        environ = {
            "PRESENCE_BOARD__IDLE_AFTER_S": "180",
            "PRESENCE_BOARD__HEARTBEAT_INTERVAL_S": "150.5",
        }
        assert problems(environ) == [
            "board.idle_after_s (180) must be less than board.away_after_s (180)",
            "board.timeout_s (300) must be at least twice board.heartbeat_interval_s (150.5)",
        ]

    def test_allow_the_boundary_of_the_second(self) -> None:
        assert Settings.of({"board.heartbeat_interval_s": 150}).board.heartbeat_interval_s == 150

    def test_are_all_told_at_once(self, tmp_path: Path) -> None:
        toml = write(tmp_path / "c.toml", "[queue]\nlimit = -1\n[nonsense]\n")
        environ = {"PRESENCE_BOARD__CAPACITY": "many", "PRESENCE_AUTH__JWT_KEYS": "{"}
        found = problems(environ, toml)
        assert [problem.split(":")[0] for problem in found] == [
            "auth.jwt_keys",
            "board.capacity",
            "queue.limit",
            "nonsense",
        ]

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "presence.example"])
    def test_keep_anonymous_servers_off_other_addresses(self, host: str) -> None:
        with pytest.raises(SettingsError) as caught:
            Settings.of({"server.host": host})
        (problem,) = caught.value.problems
        assert "auth.mode" in problem
        assert "server.host" in problem
        assert "auth.allow_anonymous" in problem
        open_to_all = Settings.of({"server.host": host, "auth.allow_anonymous": True})
        assert not open_to_all.server.is_loopback
        Settings.of({"server.host": host, "auth.mode": "jwt", "auth.jwt_secret": SECRET})

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
    def test_let_anonymous_servers_on_this_machine(self, host: str) -> None:
        assert Settings.of({"server.host": host}).server.is_loopback

    def test_values_of_problems_are_shown_with_their_origin(self) -> None:
        (problem,) = problems({"PRESENCE_SERVER__PORT": "70000"})
        assert problem == (
            "server.port: input should be less than or equal to 65535, not '70000'"
            " (from PRESENCE_SERVER__PORT)"
        )

    def test_settings_are_frozen(self) -> None:
        settings = Settings.of({})
        with pytest.raises(ValueError, match="frozen"):
            settings.board.capacity = 3  # type: ignore[misc]
