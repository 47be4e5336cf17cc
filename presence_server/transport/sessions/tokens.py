"""JSON web tokens: their bearer, their end, and the boards they cover."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

import jwt
import msgspec
from typing_extensions import override

from ...protocol.errors import BadMessage, CloseCode, ErrorCode, PresenceError
from ...protocol.profile import (
    MAX_USER_ID,
    PROFILE_FIELDS,
    ProfileChange,
    UserProfile,
    clean_profile,
    clean_user_id,
)
from ...refusals import RefusalCounter, RefusalReason
from ...settings.token_keys import TokenKey
from .handshake import Handshake
from .identity import AccessDenied, Authority, Grant, Renewal

MAX_TOKEN_CHARACTERS = 16384
_LATEST_MS = 2**53 - 1
"""The largest whole number that every reader of JSON has."""

_BEARER = "bearer."
_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is from another issuer",
}
_WRONG_KEY = (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError)


class InvalidToken(PresenceError):
    """The token is not valid. The text is sent to its bearer.

    Attributes:
        reason: the reason that it is counted under.
    """

    def __init__(self, message: str, reason: RefusalReason = RefusalReason.TOKEN_INVALID) -> None:
        super().__init__(message)
        self.reason = reason


class Claims(msgspec.Struct, frozen=True):
    """The contents of a valid token.

    Attributes:
        profile: the bearer.
        given: the fields of the profile that the token has claims for.
        expires_at_ms: when the token ends, in milliseconds since the epoch.
        boards: ids of boards, and patterns of ids.
        is_profile_clients: whether the bearer may change the profile (the claim ``profile`` is
            ``client``).
        is_editor: whether the bearer may change the Yjs document (the claim ``role`` is
            ``editor``, or absent).
    """

    profile: UserProfile
    given: ProfileChange
    expires_at_ms: int
    boards: Sequence[str]
    is_profile_clients: bool
    is_editor: bool

    def covers(self, board_id: str) -> bool:
        """Whether the bearer may join a board.

        Args:
            board_id: the board.
        """
        return any(_matches(board_id, pattern) for pattern in self.boards)


_PROFILE_OF_CLIENT = "client"
"""The value of the claim ``profile`` that lets the bearer change the profile."""

_CLAIM_OF = {"display_name": "name", "avatar_url": "picture"}
"""The claims of OpenID Connect for fields of the profile; the others have the field's name."""


_EDITOR = "editor"
"""The role of those who may change the Yjs document; any other role is that of a viewer."""


class _Payload(msgspec.Struct, frozen=True):
    """The claims that make a token invalid if they have the wrong type."""

    sub: str
    exp: int | float
    boards: list[str] = []


class TokenVerifier:
    """Checks tokens.

    Args:
        default_keys: the keys for a token that names none; each is tried.
        keys_by_kid: the keys that tokens may name.
        audience: the required ``aud``; None accepts any.
        issuer: the required ``iss``; None accepts any.
        leeway_s: how many seconds the issuer's clock may be ahead: it counts for ``iat`` and
            ``nbf``, and not for ``exp``.
        now_s: the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        default_keys: Sequence[TokenKey],
        keys_by_kid: Mapping[str, TokenKey],
        audience: str | None = None,
        issuer: str | None = None,
        *,
        leeway_s: float = 0.0,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        # A token that names no key may be signed with any of them.
        self._default_keys = tuple(default_keys) or tuple(keys_by_kid.values())
        self._keys_by_kid = dict(keys_by_kid)
        self._audience = audience
        self._issuer = issuer
        self._leeway_s = leeway_s
        self._now_s = now_s

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
        except jwt.ExpiredSignatureError:
            raise InvalidToken("the token has expired", RefusalReason.TOKEN_EXPIRED) from None
        except jwt.PyJWTError as error:
            raise InvalidToken(_REASONS.get(type(error), "the token is not valid")) from None
        except (ValueError, TypeError, OverflowError, RecursionError, AttributeError):
            # The library raises these for odd JSON inside a token.
            raise InvalidToken("the token is malformed") from None
        self._check_beginning(payload)
        return _claims(payload)

    def _check_beginning(self, payload: Mapping[str, object]) -> None:
        """Refuse a token that is not valid yet, by ``iat`` or ``nbf`` (RFC 7519 section 4.1)."""
        latest_s = self._now_s() + self._leeway_s
        for name in ("iat", "nbf"):
            begins_s = payload.get(name)
            if begins_s is None:
                continue
            if isinstance(begins_s, bool) or not isinstance(begins_s, int | float):
                raise InvalidToken("a claim of the token has the wrong type")
            # Not "begins_s > latest_s", which is false for NaN.
            if not begins_s <= latest_s:
                raise InvalidToken("the token is not valid yet")

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
                        # The library has one leeway for these and for exp.
                        "verify_iat": False,
                        "verify_nbf": False,
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


def _matches(board_id: str, pattern: str) -> bool:
    """Whether a board's id is ``pattern``, in which ``*`` and ``?`` are the only wildcards."""
    return fnmatchcase(board_id, pattern.replace("[", "[[]"))


def _claims(payload: Mapping[str, object]) -> Claims:
    try:
        claims = msgspec.convert(payload, _Payload)
        expires_at_ms = int(min(claims.exp * 1000, _LATEST_MS))
    except (msgspec.ValidationError, OverflowError, ValueError):
        raise InvalidToken("a claim of the token has the wrong type") from None
    # Two subjects must never become one user, so a subject is neither cleaned nor cut.
    user_id = claims.sub
    if len(user_id) > MAX_USER_ID:
        raise InvalidToken(f"the sub claim is longer than {MAX_USER_ID} characters")
    if clean_user_id(user_id) != user_id:
        raise InvalidToken("the sub claim is not the name of a user")
    texts: dict[str, str] = {}
    for field in PROFILE_FIELDS:
        value = payload.get(_CLAIM_OF.get(field, field))
        if isinstance(value, str):
            texts[field] = value
    return Claims(
        clean_profile(user_id, **texts),
        ProfileChange(**texts),
        expires_at_ms,
        claims.boards,
        payload.get("profile") == _PROFILE_OF_CLIENT,
        payload.get("role", _EDITOR) == _EDITOR,
    )


class TokenAuthority(Authority):
    """Mode ``jwt``: a signed token says who its bearer is.

    Args:
        verifier: checks the tokens.
        refusals: counts tokens that do not renew a session.
    """

    def __init__(self, verifier: TokenVerifier, refusals: RefusalCounter) -> None:
        self._verifier = verifier
        self._refusals = refusals

    @override
    def admit(self, handshake: Handshake) -> Grant:
        token = bearer_token(handshake)
        if token is None:
            raise _unauthorized("a token is needed", RefusalReason.TOKEN_MISSING)
        try:
            claims = self._verifier.verify(token)
        except InvalidToken as error:
            raise _unauthorized(str(error), error.reason) from None
        if not claims.covers(handshake.board_id):
            raise AccessDenied(
                ErrorCode.FORBIDDEN,
                CloseCode.FORBIDDEN,
                "the token does not cover this board",
                RefusalReason.TOKEN_NOT_FOR_BOARD,
            )
        return Grant(
            claims.profile, claims.expires_at_ms, claims.is_profile_clients, claims.is_editor
        )

    @override
    def renew(self, token: str, board_id: str, user_id: str) -> Renewal:
        try:
            claims = self._verifier.verify(token)
        except InvalidToken as error:
            self._refusals.note(error.reason)
            raise BadMessage(ErrorCode.UNAUTHORIZED, str(error)) from None
        if claims.profile.user_id != user_id:
            self._refusals.note(RefusalReason.TOKEN_INVALID)
            raise BadMessage(ErrorCode.UNAUTHORIZED, "the token is another user's")
        if not claims.covers(board_id):
            self._refusals.note(RefusalReason.TOKEN_NOT_FOR_BOARD)
            raise BadMessage(ErrorCode.FORBIDDEN, "the token does not cover this board")
        # A profile that the client may change is not the issuer's any more.
        change = ProfileChange() if claims.is_profile_clients else claims.given
        return Renewal(claims.expires_at_ms, change, claims.is_profile_clients, claims.is_editor)


def _unauthorized(message: str, reason: RefusalReason) -> AccessDenied:
    return AccessDenied(ErrorCode.UNAUTHORIZED, CloseCode.UNAUTHORIZED, message, reason)


def bearer_token(handshake: Handshake) -> str | None:
    """Find the token of a handshake.

    It is in the first message, else in the subprotocols, else in the header, else in the query.

    Args:
        handshake: the request.

    Returns:
        The token; None if there is none.
    """
    if handshake.token is not None:
        return handshake.token
    for value in handshake.head.get_all("sec-websocket-protocol"):
        for name in value.split(","):
            if name.strip().startswith(_BEARER):
                return name.strip().removeprefix(_BEARER)
    scheme, _, credentials = (handshake.head.get("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return handshake.query.get("token")
