"""Keys of every kind, made once a test session, and tokens signed with them."""

from __future__ import annotations

import time
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

SECRET = "a secret that is long enough for HMAC-SHA256"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def private_key(kind: str) -> PrivateKey:
    """A private key for RS256, RS1024 (too short), ES256, ES384 or EdDSA."""
    match kind:
        case "RS256":
            return rsa.generate_private_key(65537, 2048)
        case "RS1024":
            return rsa.generate_private_key(65537, 1024)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ES256K":
            return ec.generate_private_key(ec.SECP256K1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    raise LookupError(kind)


def public_pem(kind: str) -> str:
    """The public half, in PEM."""
    key = private_key(kind).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(kind: str) -> str:
    """The private half, in PEM."""
    key = private_key(kind)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def claims(user: object = "ada", boards: object = ("*",), **more: object) -> dict[str, object]:
    """The claims of a token that holds for an hour; None leaves one out."""
    found = {
        "sub": user,
        "boards": list(boards) if isinstance(boards, tuple) else boards,
        "exp": int(time.time()) + 3600,
    } | more
    return {name: value for name, value in found.items() if value is not None}


def token(user: str = "ada", boards: object = ("*",), **more: object) -> str:
    """A token signed with :data:`SECRET`."""
    return jwt.encode(claims(user, boards, **more), SECRET, "HS256")
