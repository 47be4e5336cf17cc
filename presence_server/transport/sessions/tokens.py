"""JSON web tokens: their bearer, their end, and the boards they cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import jwt
import msgspec
from typing_extensions import override

from ...protocol.errors import BadMessage, CloseCode, ErrorCode, PresenceError
from ...protocol.model import UserProfile
from ...protocol.profile import clean_profile, clean_user_id
from ...settings.token_keys import TokenKey
from .handshake import Handshake
from .identity import AccessDenied, Authority, Grant

MAX_TOKEN_CHARACTERS = 16384
_LATEST_MS = 2**53 - 1
"""The largest whole number that every reader of JSON has."""

_BEARER = "bearer."
_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is from another issuer",
}
_WRONG_KEY = (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError)


class InvalidToken(PresenceError):
    """The token is not valid. The text is sent to its bearer."""


class Claims(msgspec.Struct, frozen=True):
    """The contents of a valid token.

    Attributes:
        profile: the bearer.
        expires_at_ms: when the token ends, in milliseconds since the epoch.
        boards: ids of boards, and patterns of ids.
    """

    profile: UserProfile
    expires_at_ms: int
    boards: Sequence[str]

    def covers(self, board_id: str) -> bool:
        """Whether the bearer may join a board.

        Args:
            board_id: the board.
        """
        return any(fnmatchcase(board_id, pattern) for pattern in self.boards)


class _Payload(msgspec.Struct, frozen=True):
    """The claims as they come. Those of the profile are cleaned later; none is an error."""

    sub: str
    exp: int | float
    boards: list[str] = []
    name: object = None
    picture: object = None
    color: object = None


class TokenVerifier:
    """Checks tokens.

    Args:
        default_keys: the keys for a token that names none; each is tried.
        keys_by_kid: the keys that tokens may name.
        audience: the required ``aud``; None accepts any.
        issuer: the required ``iss``; None accepts any.
    """

    def __init__(
        self,
        default_keys: Sequence[TokenKey],
        keys_by_kid: Mapping[str, TokenKey],
        audience: str | None = None,
        issuer: str | None = None,
    ) -> None:
        # A token that names no key may be signed with any of them.
        self._default_keys = tuple(default_keys) or tuple(keys_by_kid.values())
        self._keys_by_kid = dict(keys_by_kid)
        self._audience = audience
        self._issuer = issuer

    def verify(self, token: str) -> Claims:
        """Check a token and read its claims.

        Args:
            token: the encoded token.

        Raises:
            InvalidToken: it is malformed, has expired, or is not signed with one of the keys.
        """
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise InvalidToken("the token is malformed")
        try:
            payload = self._decode(token)
        except jwt.MissingRequiredClaimError as error:
            raise InvalidToken(f"the token has no {error.claim} claim") from None
        except jwt.PyJWTError as error:
            raise InvalidToken(_REASONS.get(type(error), "the token is not valid")) from None
        except (ValueError, TypeError, OverflowError, RecursionError, AttributeError):
            # The library raises these for odd JSON inside a token.
            raise InvalidToken("the token is malformed") from None
        return _claims(payload)

    def _decode(self, token: str) -> Mapping[str, object]:
        header = jwt.get_unverified_header(token)
        if "crit" in header:
            # RFC 7515 section 4.1.11: extensions that a reader must understand. We know none.
            raise InvalidToken("the token needs an extension that is not supported")
        refused: jwt.PyJWTError = jwt.InvalidSignatureError()
        for key in self._candidates(header.get("kid")):
            try:
                return jwt.decode(
                    token,
                    key.material,
                    algorithms=key.algorithms,
                    audience=self._audience,
                    issuer=self._issuer,
                    options={
                        "require": ["exp", "sub"],
                        "verify_aud": self._audience is not None,
                        "verify_iss": self._issuer is not None,
                    },
                )
            except _WRONG_KEY as error:
                refused = error
        raise refused

    def _candidates(self, kid: object) -> Sequence[TokenKey]:
        if kid is None or not self._keys_by_kid:
            return self._default_keys
        key = self._keys_by_kid.get(kid) if isinstance(kid, str) else None
        return () if key is None else (key,)


def _claims(payload: Mapping[str, object]) -> Claims:
    try:
        claims = msgspec.convert(payload, _Payload)
        expires_at_ms = int(min(claims.exp * 1000, _LATEST_MS))
    except (msgspec.ValidationError, OverflowError, ValueError):
        raise InvalidToken("a claim of the token has the wrong type") from None
    user_id = clean_user_id(claims.sub)
    # Two subjects must never become one user, so a subject is not cleaned.
    if user_id is None or "\0" in claims.sub or any("\ud800" <= c <= "\udfff" for c in claims.sub):
        raise InvalidToken("the sub claim is not the name of a user")
    profile = clean_profile(
        user_id,
        display_name=_text(claims.name),
        avatar_url=_text(claims.picture),
        color=_text(claims.color),
    )
    return Claims(profile, expires_at_ms, claims.boards)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class TokenAuthority(Authority):
    """Mode ``jwt``: a signed token says who its bearer is.

    Args:
        verifier: checks the tokens.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    @override
    def admit(self, handshake: Handshake) -> Grant:
        token = bearer_token(handshake)
        if token is None:
            raise AccessDenied(ErrorCode.UNAUTHORIZED, CloseCode.UNAUTHORIZED, "a token is needed")
        try:
            claims = self._verifier.verify(token)
        except InvalidToken as error:
            raise AccessDenied(ErrorCode.UNAUTHORIZED, CloseCode.UNAUTHORIZED, str(error)) from None
        if not claims.covers(handshake.board_id):
            raise AccessDenied(
                ErrorCode.FORBIDDEN, CloseCode.FORBIDDEN, "the token does not cover this board"
            )
        return Grant(claims.profile, claims.expires_at_ms)

    @override
    def renew(self, token: str, board_id: str, user_id: str) -> int:
        try:
            claims = self._verifier.verify(token)
        except InvalidToken as error:
            raise BadMessage(ErrorCode.UNAUTHORIZED, str(error)) from None
        if claims.profile.user_id != user_id:
            raise BadMessage(ErrorCode.UNAUTHORIZED, "the token is another user's")
        if not claims.covers(board_id):
            raise BadMessage(ErrorCode.FORBIDDEN, "the token does not cover this board")
        return claims.expires_at_ms


def bearer_token(handshake: Handshake) -> str | None:
    """Find the token of a handshake: in the subprotocols, else in the header, else in the query.

    Args:
        handshake: the request.

    Returns:
        The token; None if there is none.
    """
    for value in handshake.head.get_all("sec-websocket-protocol"):
        for name in value.split(","):
            if name.strip().startswith(_BEARER):
                return name.strip().removeprefix(_BEARER)
    scheme, _, credentials = (handshake.head.get("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return handshake.query.get("token")
