"""``presence-server health``: the health check of a container."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import click

from .options import config_option
from .watch import local_url


@click.command()
@click.option("--server", metavar="URL", help="Default: the server of the settings.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 60),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the answer.",
)
@config_option
def health(server: str | None, timeout_s: float, config_path: Path | None) -> int:
    """Ask a server whether it runs (/healthz). Exits with 0 if it does, else with 1."""
    url = server or local_url(config_path)
    try:
        status = _status(url, timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as error:
        click.echo(f"presence-server: {url}: {error}", err=True)
        return 1
    if status != 200:
        click.echo(f"presence-server: {url}: /healthz answers {status}", err=True)
        return 1
    return 0


def _status(url: str, timeout_s: float) -> int:
    """The status that /healthz answers with.

    Proxies of the environment are not asked. The certificate is not checked: it names the
    public address, and this asks whether the process answers, not who it is.

    Raises:
        OSError: nothing answers within ``timeout_s``.
        http.client.HTTPException: the answer is not HTTP.
        ValueError: the URL is not one.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.hostname is None:
        raise ValueError("not a URL")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl._create_unverified_context()  # noqa: S323 - see above
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()
