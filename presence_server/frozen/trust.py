"""Which certificates the server trusts when it connects to others by TLS."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, MutableMapping
from pathlib import Path

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, older Red Hat systems, SUSE, OpenELEC and Alpine keep the root
certificates: the list of Go's crypto/x509, root_linux.go."""


def find_roots(
    environ: MutableMapping[str, str] = os.environ, bundles: Iterable[str] = BUNDLES
) -> None:
    """Set ``SSL_CERT_FILE`` to this machine's root certificates where OpenSSL would miss them.

    The OpenSSL inside a build looks where the machine it was built on keeps them. What the
    operator has set stands, and so does a default that exists.

    Args:
        environ: the environment of the process.
        bundles: paths in the order in which they are tried.
    """
    paths = ssl.get_default_verify_paths()
    if paths.openssl_cafile_env in environ or paths.openssl_capath_env in environ:
        return
    if Path(paths.openssl_cafile).is_file() or _has_certificates(Path(paths.openssl_capath)):
        return
    found = next((path for path in bundles if Path(path).is_file()), None)
    if found is not None:
        environ[paths.openssl_cafile_env] = found


def _has_certificates(folder: Path) -> bool:
    """Whether OpenSSL finds any there: it looks for names such as ``5ed36f99.0``."""
    try:
        return next(folder.glob("*.0"), None) is not None
    except OSError:
        return False
