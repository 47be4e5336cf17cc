"""The files of the demo and the client library, read once and served from memory.

A few hundred kilobytes at most; and a name that is not in the table cannot lead out of
the folder.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct
from quart import Response, request

# Not from the system's table, which on some machines calls JavaScript plain text.
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
    """A file's bytes and what is said about them."""

    body: bytes
    content_type: str
    etag: str


def load(folder: Traversable | None = None) -> dict[str, StaticFile]:
    """Every file of the package's static folder of a known type, by relative path."""
    return dict(_walk(folder or files(__package__) / "static", ""))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif content_type := _TYPES.get(entry.name.rpartition(".")[2]):
            body = entry.read_bytes()
            etag = hashlib.sha256(body).hexdigest()[:32]
            found.append((name, StaticFile(body, content_type, etag)))
    return found


def respond(file: StaticFile) -> Response:
    """The answer to a request for a file: 304 if the browser has it already."""
    if request.if_none_match.contains_weak(file.etag):
        # An empty body all the same: without one, Quart iterates on asyncio.
        response = Response(b"", status=304)
    else:
        response = Response(file.body, content_type=file.content_type)
    response.set_etag(file.etag)
    # The names carry no version, so a browser asks each time, and mostly hears 304.
    response.headers["Cache-Control"] = "no-cache"
    return response
