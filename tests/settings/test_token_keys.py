"""A key is bound to what it is good for."""

from __future__ import annotations

import pytest

from presence_server.settings import Settings, SettingsError
from presence_server.settings.token_keys import read_key, read_public_key, read_secret
from tests.keys import SECRET, private_pem, public_pem


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("RS256", ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("ES256", ("ES256",)),
        ("ES384", ("ES384",)),
        ("EdDSA", ("EdDSA",)),
    ],
)
def test_a_public_key_checks_its_own_kind_only(kind: str, algorithms: tuple[str, ...]) -> None:
    key = read_key(public_pem(kind))
    assert key.algorithms == algorithms
    assert key.secret is None


def test_a_secret_checks_hmac_only() -> None:
    key = read_key(SECRET)
    assert key.algorithms == ("HS256", "HS384", "HS512")
    assert key.secret == SECRET


def test_a_key_is_used_for_its_default_unless_more_is_allowed() -> None:
    assert read_key(public_pem("RS256")).restricted_to(()).algorithms == ("RS256",)
    allowed = read_key(public_pem("RS256")).restricted_to(("PS256", "RS512", "ES256"))
    assert allowed.algorithms == ("RS512", "PS256")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SECRET[:31], "at least 32 bytes"),
        (public_pem("EdDSA"), "auth.jwt_public_key"),
    ],
)
def test_what_is_no_secret_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_secret(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (private_pem("RS256"), "private"),
        (public_pem("RS1024"), "2048 bits"),
        (public_pem("ES256K"), "P-256"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not a public key"),
        (SECRET, "not a public key"),
    ],
)
def test_what_is_no_public_key_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_public_key(text)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"auth.jwt_public_key": private_pem("ES256")}, "auth.jwt_public_key: this is a private"),
        ({"auth.jwt_secret": public_pem("ES256")}, "auth.jwt_secret: this is a PEM key"),
        ({"auth.jwt_keys": {"k": "short"}}, "auth.jwt_keys: 'k': a secret needs"),
        (
            {"auth.jwt_secret": SECRET, "auth.jwt_algorithms": ["RS256"]},
            "auth.jwt_algorithms holds none that fits one of the keys",
        ),
    ],
)
def test_settings_name_the_key_that_is_wrong(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.of({"auth.mode": "jwt"} | settings)
    assert any(line.startswith(problem) for line in error.value.problems)
    assert SECRET not in str(error.value)
