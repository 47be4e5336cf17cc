"""The files of the demo and the client library, read once and served from memory.

All files together have a few hundred kilobytes. A request looks its name up in a table, so a
name such as `../x` cannot leave the folder.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct
from quart import Response, request

# The table of some systems says that JavaScript is plain text.
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}


class StaticFile(Struct, frozen=True):
    """A file's bytes and the headers that describe them."""

    body: bytes
    content_type: str
    etag: str


def load(folder: Traversable | None = None) -> dict[str, StaticFile]:
    """Read every file of a known type in the static folder; keys are relative paths."""
    return dict(_walk(folder or files(__package__) / "static", ""))


def _file(body: bytes, content_type: str) -> StaticFile:
    return StaticFile(body, content_type, etag=hashlib.sha256(body).hexdigest()[:32])


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif content_type := _TYPES.get(entry.name.rpartition(".")[2]):
            found.append((name, _file(entry.read_bytes(), content_type)))
    return found


def one_level_up(page: StaticFile) -> StaticFile:
    """Make a page for the folder above the one that it was written for.

    The addresses in pages are relative, so that a proxy may serve them under any path.

    Args:
        page: A page that finds the static folder at ``../static/``.

    Returns:
        The same page, which finds it at ``static/``.
    """
    return _file(page.body.replace(b'"../static/', b'"static/'), page.content_type)


def respond(file: StaticFile) -> Response:
    """Answer a request for a file; 304 if the browser has it already."""
    if request.if_none_match.contains_weak(file.etag):
        # An empty body, not None: for None, Quart iterates on asyncio.
        response = Response(b"", status=304)
    else:
        response = Response(file.body, content_type=file.content_type)
    response.set_etag(file.etag)
    # The names carry no version, so a browser asks each time and mostly gets 304.
    response.headers["Cache-Control"] = "no-cache"
    return response
