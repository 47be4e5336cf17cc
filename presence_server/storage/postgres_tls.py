"""TLS to PostgreSQL: what its URL asks for, and the context that does it.

The modes are libpq's (https://www.postgresql.org/docs/current/libpq-ssl.html) but for one thing:
``verify-ca`` and ``verify-full`` without a file of roots take those of the system.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from .errors import StorageError

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VERIFYING = ("verify-ca", "verify-full")
_SYSTEM = "system"
_YES, _NO = ("true", "1", "yes", "on", "t"), ("false", "0", "no", "off", "f")
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


class TlsRequest(Struct, frozen=True):
    """The wishes of the URL; None leaves a value to the environment and then to the default.

    Attributes:
        mode: libpq's ``sslmode``.
        root: file of the roots to trust, or ``system``.
        cert: file of the client's certificate.
        key: file of its key.
        password: of that file.
        crl: file of revoked certificates.
        lowest: the oldest version of TLS.
        highest: the newest version of TLS.
        direct: whether TLS begins at once (``sslnegotiation=direct``).
    """

    mode: str | None = None
    root: str | None = None
    cert: str | None = None
    key: str | None = None
    password: str | None = None
    crl: str | None = None
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    highest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    direct: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that :func:`tls_context` reads, as far as the URL names them."""
        named = (self.root, self.cert, self.key, self.crl)
        return tuple(Path(name) for name in named if name and name != _SYSTEM)


def tls_request(values: dict[str, str]) -> TlsRequest:
    """Take the parameters about TLS out of a URL's parameters.

    Raises:
        StorageError: a value cannot work; the text names the parameter.
    """
    mode = _mode(values)
    root, cert = values.pop("sslrootcert", None), values.pop("sslcert", None)
    direct = values.pop("sslnegotiation", "postgres")
    if direct not in ("postgres", "direct"):
        raise StorageError("database.url: sslnegotiation: use postgres or direct")
    if root == _SYSTEM and mode != "disable":
        mode = "verify-full"
    elif (root or cert or direct == "direct") and mode in (None, "allow", "prefer"):
        # Files are named to be used, and never to go on without TLS.
        mode = "require"
    if direct == "direct" and mode == "disable":
        raise StorageError("database.url: sslnegotiation=direct cannot work with sslmode=disable")
    return TlsRequest(
        mode=mode,
        root=root,
        cert=cert,
        key=values.pop("sslkey", None),
        password=values.pop("sslpassword", None),
        crl=values.pop("sslcrl", None),
        lowest=_version(values, "ssl_min_protocol_version", ssl.TLSVersion.TLSv1_2),
        highest=_version(values, "ssl_max_protocol_version", ssl.TLSVersion.MAXIMUM_SUPPORTED),
        direct=direct == "direct",
    )


def _mode(values: dict[str, str]) -> str | None:
    """``sslmode``, or what stands for it elsewhere: ``ssl``, ``requiressl``, ``sslaccept``."""
    mode = values.pop("sslmode", None)
    flag, required = values.pop("ssl", None), values.pop("requiressl", None)
    accept = values.pop("sslaccept", None)
    if mode == "no-verify":
        mode = "require"
    if mode is not None and mode not in _MODES:
        raise StorageError(f"database.url: sslmode: use one of {', '.join(_MODES)}")
    if accept not in (None, "strict", "accept_invalid_certs"):
        raise StorageError("database.url: sslaccept: use strict or accept_invalid_certs")
    if accept == "strict" and mode not in _VERIFYING:
        return "verify-full"
    if mode is not None:
        return mode
    if flag is not None and flag.lower() not in (*_YES, *_NO, "no-verify", *_MODES):
        raise StorageError("database.url: ssl: use true or false, or sslmode")
    if flag is not None and flag.lower() in _MODES:
        return flag.lower()
    if flag is not None and flag.lower() in _NO:
        return "disable"
    return "require" if flag is not None or required in _YES else None


def _version(values: dict[str, str], name: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
    text = values.pop(name, None)
    if text is None:
        return default
    if text not in _VERSIONS:
        raise StorageError(f"database.url: {name}: use one of {', '.join(_VERSIONS)}")
    return _VERSIONS[text]


def tls_context(request: TlsRequest) -> ssl.SSLContext | None:
    """Make the context of a connection; None if the mode alone, or the environment, decides.

    It reads files: those of the URL, else those of ``PGSSLROOTCERT`` and the like, else those in
    ``~/.postgresql`` that exist.

    Raises:
        StorageError: a file cannot be used; the text names the parameter.
    """
    if request.mode in (None, "disable", "allow", "prefer"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    root = request.root or _default("PGSSLROOTCERT", "root.crt")
    context.check_hostname = request.mode == "verify-full"
    if root is None and request.mode not in _VERIFYING:
        context.verify_mode = ssl.CERT_NONE
    elif root in (None, _SYSTEM):
        context.load_default_certs()
    else:
        _load("sslrootcert", root, lambda: context.load_verify_locations(root))
    crl = request.crl or _default("PGSSLCRL", "root.crl")
    if crl is not None and context.verify_mode is not ssl.CERT_NONE:
        _load("sslcrl", crl, lambda: context.load_verify_locations(crl))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    _load_own_certificate(context, request)
    try:
        context.minimum_version, context.maximum_version = request.lowest, request.highest
    except ValueError as error:
        raise StorageError(f"database.url: ssl_min_protocol_version: {error}") from None
    context.set_alpn_protocols(["postgresql"])
    return context


class TlsContexts:
    """Makes a context again when one of its files has changed: certificates are renewed.

    Reading the roots of the system takes some ten milliseconds.
    """

    def __init__(self, request: TlsRequest) -> None:
        self._request = request
        self._made: tuple[tuple[float, ...], ssl.SSLContext | None] | None = None

    def current(self) -> ssl.SSLContext | None:
        """The context for a new connection.

        Raises:
            StorageError: as :func:`tls_context`.
        """
        changed = tuple(_changed_at(path) for path in self._request.files)
        if self._made is None or self._made[0] != changed:
            self._made = changed, tls_context(self._request)
        return self._made[1]


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _load_own_certificate(context: ssl.SSLContext, request: TlsRequest) -> None:
    cert = request.cert or _default("PGSSLCERT", "postgresql.crt")
    if cert is None:
        return
    key = request.key or _default("PGSSLKEY", "postgresql.key")
    if key is not None:
        _load("sslkey", key, lambda: Path(key).open("rb").close())
    # A password is always given, or OpenSSL would ask for one on the terminal.
    password = request.password or ""
    _load("sslcert", cert, lambda: context.load_cert_chain(cert, key, lambda: password))


def _load(parameter: str, path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        reason = " ".join(str(error.reason or error).split())
        raise StorageError(
            f"database.url: {parameter}: {path} cannot be used: {reason}; it must be a PEM file"
            + (" whose key (sslkey, sslpassword) fits" if parameter == "sslcert" else "")
        ) from None
    except OSError as error:
        raise StorageError(
            f"database.url: {parameter}: cannot read {path}: {error.strerror or error}"
        ) from None


def _default(variable: str, name: str) -> str | None:
    """A file named by the environment, or one in ``~/.postgresql`` that exists."""
    if named := os.environ.get(variable):
        return named
    try:
        path = Path.home() / ".postgresql" / name
        return str(path) if path.is_file() else None
    except (RuntimeError, OSError):
        return None
