"""Keys that check tokens, each with its algorithms.

A key is bound to its algorithms here, once. So a public key is never used as an HMAC
secret, even if the header of a token says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    PublicKey = EllipticCurvePublicKey | Ed448PublicKey | Ed25519PublicKey | RSAPublicKey

MIN_HMAC_SECRET_BYTES = 32
MIN_RSA_BITS = 2048

Algorithm = Literal[
    "HS256", "HS384", "HS512",
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512",
    "EdDSA",
]  # fmt: skip

_HMAC: tuple[Algorithm, ...] = ("HS256", "HS384", "HS512")
_RSA: tuple[Algorithm, ...] = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: dict[str, Algorithm] = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class TokenKey(Struct, frozen=True):
    """One key for checking tokens.

    Attributes:
        material: the HMAC secret, or the public key.
        algorithms: the algorithms it can check; the first one is the default.
    """

    material: str | PublicKey
    algorithms: tuple[Algorithm, ...]

    @property
    def secret(self) -> str | None:
        """The secret, which can also sign tokens; None for a public key."""
        return self.material if isinstance(self.material, str) else None

    def restricted_to(self, allowed: tuple[Algorithm, ...]) -> TokenKey:
        """The same key for the ``allowed`` algorithms only; if empty, for its default one."""
        wanted = allowed or self.algorithms[:1]
        return TokenKey(self.material, tuple(name for name in self.algorithms if name in wanted))


def read_secret(text: str) -> TokenKey:
    """Read an HMAC secret.

    Raises:
        ValueError: it is too short, or a PEM file.
    """
    if _is_pem(text):
        raise ValueError("this is a PEM key, not a secret; it belongs in auth.jwt_public_key")
    if len(text.encode("utf-8", "surrogatepass")) < MIN_HMAC_SECRET_BYTES:
        raise ValueError(f"a secret needs at least {MIN_HMAC_SECRET_BYTES} bytes")
    return TokenKey(text, _HMAC)


def read_public_key(text: str) -> TokenKey:
    """Read a public key in PEM.

    Raises:
        ValueError: it is something else, or too weak.
    """
    # Importing this takes 50 ms, and most servers have no such key.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
        ec,
        ed448,
        ed25519,
        rsa,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_public_key,
    )

    # A key in one line has its line ends as a backslash and an n.
    text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    if "PRIVATE KEY-----" in text:
        raise ValueError("this is a private key; the server needs the public one only")
    try:
        key = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is not a public key in PEM (-----BEGIN PUBLIC KEY-----)") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise ValueError(f"an RSA key needs at least {MIN_RSA_BITS} bits")
        return TokenKey(key, _RSA)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return TokenKey(key, (_CURVES[key.curve.name],))
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return TokenKey(key, ("EdDSA",))
    raise ValueError("keys are RSA, Ed25519, Ed448, or EC on P-256, P-384 or P-521")


def read_key(text: str) -> TokenKey:
    """Read a public key if the text is PEM, else a secret.

    Raises:
        ValueError: it is neither, or too weak.
    """
    return read_public_key(text) if _is_pem(text) else read_secret(text)


def _is_pem(text: str) -> bool:
    return text.lstrip().startswith("-----BEGIN")
