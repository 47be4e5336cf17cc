"""The section ``auth``: who may connect, and by which keys their tokens are checked."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from ..protocol.origin import checked_origin
from .token_keys import Algorithm, TokenKey, read_key, read_public_key, read_secret
from .values import Section

MIN_ADMIN_TOKEN = 16
"""Characters that ``auth.admin_token`` must have, so that it cannot be guessed."""

_HEADER_TEXT = re.compile(r"[\x20-\x7e]+")


class AuthSettings(Section):
    """The users that may connect."""

    mode: Literal["none", "jwt"] = Field(
        "none", description='"none": users name themselves; "jwt": a signed token names them.'
    )
    jwt_secret: SecretStr | None = Field(
        None, description="HMAC secret of at least 32 bytes; better PRESENCE_AUTH__JWT_SECRET_FILE."
    )
    jwt_public_key: str | None = Field(
        None, repr=False, description="Public key (PEM) of the signer of the tokens."
    )
    jwt_algorithms: tuple[Algorithm, ...] = Field(
        (), description="Algorithms accepted; empty: HS256, or RS256, ES256, EdDSA, as fits a key."
    )
    jwt_audience: str | None = Field(None, description="Required aud claim.")
    jwt_issuer: str | None = Field(None, description="Required iss claim.")
    leeway_s: float = Field(
        30,
        ge=0,
        le=3600,
        description="Seconds that a token's iat and nbf may be ahead of this clock; exp has none.",
    )
    jwt_keys: dict[str, SecretStr] = Field(
        {}, description="Secrets or public keys by kid, to rotate them."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description='Origins beside this host that browsers may connect from; "*" allows all.'
    )
    admin_token: SecretStr | None = Field(
        None,
        description="Bearer token of the admin routes (16 characters or more); else they are 404.",
    )
    allow_anonymous: bool = Field(
        False, description='Allow auth.mode = "none" on an address that others can reach.'
    )

    @field_validator("admin_token")
    @classmethod
    def _admin_token(cls, value: SecretStr | None) -> SecretStr | None:
        text = None if value is None else value.get_secret_value()
        if text is not None and not text:
            raise ValueError("must not be empty")  # An empty one would open the routes.
        if text is not None and len(text) < MIN_ADMIN_TOKEN:
            raise ValueError(f"must have at least {MIN_ADMIN_TOKEN} characters")
        if text is not None and not _HEADER_TEXT.fullmatch(text):
            raise ValueError("must be of visible ASCII characters: it is sent in a header")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read_secret(value.get_secret_value())
        return value

    @field_validator("jwt_public_key")
    @classmethod
    def _public_key(cls, value: str | None) -> str | None:
        if value is not None:
            read_public_key(value)
        return value

    @field_validator("jwt_keys")
    @classmethod
    def _keys(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for kid, key in value.items():
            try:
                read_key(key.get_secret_value())
            except ValueError as error:
                raise ValueError(f"{kid!r}: {error}") from None
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_origin(origin) for origin in value)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode == "jwt" and not (self.default_keys or self.keys_by_kid):
            raise ValueError(
                'auth.mode = "jwt" needs auth.jwt_secret, auth.jwt_public_key or auth.jwt_keys'
            )
        for key in (*self.default_keys, *self.keys_by_kid.values()):
            if not key.algorithms:
                raise ValueError("auth.jwt_algorithms holds none that fits one of the keys")
        return self

    @property
    def default_keys(self) -> tuple[TokenKey, ...]:
        """The keys for tokens without a ``kid``."""
        keys = []
        if self.jwt_secret is not None:
            keys.append(read_secret(self.jwt_secret.get_secret_value()))
        if self.jwt_public_key is not None:
            keys.append(read_public_key(self.jwt_public_key))
        return tuple(key.restricted_to(self.jwt_algorithms) for key in keys)

    @property
    def keys_by_kid(self) -> dict[str, TokenKey]:
        """The keys that tokens name by ``kid``."""
        return {
            kid: read_key(key.get_secret_value()).restricted_to(self.jwt_algorithms)
            for kid, key in self.jwt_keys.items()
        }
