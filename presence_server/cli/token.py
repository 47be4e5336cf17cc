"""``presence-server token``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..settings import AuthSettings, SettingsError
from .options import config_option, read_settings

MAX_EXPIRES_S = 100 * 366 * 86400


@click.command()
@click.option("--user", required=True, metavar="ID", help="The user of the token.")
@click.option(
    "--board",
    "boards",
    required=True,
    multiple=True,
    metavar="BOARD",
    help='A board, or a pattern such as "team-*"; may be given several times.',
)
@click.option("--name", metavar="TEXT", help="Name to show.")
@click.option("--picture", metavar="URL", help="Avatar to show.")
@click.option("--color", metavar="#RRGGBB", help="Colour to show.")
@click.option(
    "--client-profile",
    is_flag=True,
    help="Let the client change name, avatar and colour (the claim profile).",
)
@click.option(
    "--expires-in",
    type=click.IntRange(min=1, max=MAX_EXPIRES_S),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="Lifetime of the token.",
)
@click.option("--kid", metavar="ID", help="Sign with this key of auth.jwt_keys.")
@config_option
def token(
    user: str,
    boards: tuple[str, ...],
    name: str | None,
    picture: str | None,
    color: str | None,
    client_profile: bool,
    expires_in: int,
    kid: str | None,
    config_path: Path | None,
) -> None:
    """Print a JWT signed with the configured secret, for trying things out."""
    import jwt

    auth = read_settings(config_path).auth
    now = int(time.time())
    claims: dict[str, object] = {
        "sub": user,
        "boards": list(boards),
        "iat": now,
        "exp": now + expires_in,
        "name": name,
        "picture": picture,
        "color": color,
        "profile": "client" if client_profile else None,
        "aud": auth.jwt_audience,
        "iss": auth.jwt_issuer,
    }
    claims = {claim: value for claim, value in claims.items() if value is not None}
    headers = {"kid": kid} if kid is not None else None
    secret, algorithm = _signing_key(auth, kid)
    click.echo(jwt.encode(claims, secret, algorithm, headers=headers))


def _signing_key(auth: AuthSettings, kid: str | None) -> tuple[str, str]:
    """The secret to sign with, and its algorithm."""
    keys_by_kid = auth.keys_by_kid
    if kid is not None and kid not in keys_by_kid:
        raise SettingsError([f"auth.jwt_keys: there is no key {kid!r}"])
    for key in auth.default_keys if kid is None else (keys_by_kid[kid],):
        if key.secret is not None:
            return key.secret, key.algorithms[0]
    if kid is not None:
        raise SettingsError([f"auth.jwt_keys: {kid!r} is a public key, which cannot sign"])
    raise SettingsError(["auth.jwt_secret: needed to sign a token, and not set"])
