"""White space around a value is no part of it, whatever source the value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from presence_server.settings import Settings, SettingsError, load_settings
from presence_server.settings.sources import FROM_FILES
from tests.settings.test_settings import ED25519_PEM, SECRET, write

_PADDED = ["{}\n", "{}\r\n", " {} ", "\ufeff{}\n", "{}\u00a0"]
_VALUES = {
    "database.url": "postgresql://u:p@h/d",
    "redis.url": "redis://:p@h/0",
    "auth.jwt_secret": SECRET,
    "auth.jwt_public_key": ED25519_PEM.strip(),
    "auth.admin_token": "a token of some length",
    "auth.jwt_audience": "boards",
}


def value_of(settings: Settings, name: str) -> str:
    section, _, key = name.partition(".")
    value = getattr(getattr(settings, section), key)
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


@pytest.mark.parametrize("padded", _PADDED)
@pytest.mark.parametrize("name", _VALUES)
def test_white_space_around_a_value_is_dropped(tmp_path: Path, name: str, padded: str) -> None:
    expected = _VALUES[name]
    text = padded.format(expected)
    variable = "PRESENCE_" + name.upper().replace(".", "__")
    section, _, key = name.partition(".")
    toml = write(tmp_path / "c.toml", f"[{section}]\n{key} = {json.dumps(text)}")
    found = [
        load_settings(environ={variable: text}),
        load_settings(toml, environ={}),
        load_settings(None, {name: text}, {}),
    ]
    if name in FROM_FILES:
        path = write(tmp_path / "value", text)
        found.append(load_settings(environ={f"{variable}_FILE": f"{path}\n"}))
    assert [value_of(settings, name) for settings in found] == [expected] * len(found)


def test_white_space_around_a_key_in_a_table_is_dropped() -> None:
    settings = load_settings(
        environ={"PRESENCE_AUTH__JWT_KEYS": json.dumps({"k": f" {SECRET}\n"}) + "\n"}
    )
    assert settings.auth.keys_by_kid["k"].secret == SECRET


def test_white_space_around_a_word_and_a_number_is_dropped() -> None:
    settings = load_settings(
        environ={
            "PRESENCE_LOGGING__LEVEL": "warning\n",
            "PRESENCE_SERVER__PORT": " 81\r\n",
            "PRESENCE_QUEUE__ENABLED": "false\n",
            "PRESENCE_SERVER__HOST": "127.0.0.1\n",
        }
    )
    assert settings.logging.level == "warning"
    assert settings.server.port == 81
    assert not settings.queue.enabled
    assert settings.server.host == ("127.0.0.1",)


@pytest.mark.parametrize("name", ["database.url", "redis.url"])
@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x00"])
def test_a_control_character_inside_a_url_is_refused(name: str, character: str) -> None:
    text = _VALUES[name].replace("p@", f"{character}p@")
    with pytest.raises(SettingsError) as caught:
        Settings.of({name: text})
    assert caught.value.problems == [f"{name}: must hold no control characters"]


def test_white_space_that_is_all_of_a_variable_counts_as_not_set() -> None:
    assert load_settings(environ={"REDIS_URL": " \n"}).redis.url is None


def test_backslash_n_in_a_key_is_a_line_end() -> None:
    escaped = ED25519_PEM.strip().replace("\n", "\\n")
    for environ in (
        {"PRESENCE_AUTH__JWT_PUBLIC_KEY": escaped},
        {"PRESENCE_AUTH__JWT_KEYS": json.dumps({"k": escaped})},
    ):
        auth = load_settings(environ=environ).auth
        (key,) = (*auth.default_keys, *auth.keys_by_kid.values())
        assert key.algorithms == ("EdDSA",)
