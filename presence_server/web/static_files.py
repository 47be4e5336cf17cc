"""The files of the demo and the client library, read and compressed once.

All files together have a few hundred kilobytes. A request looks its name up in a table, so a
name such as `../x` cannot leave the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct

from .encodings import IDENTITY, compressors

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
    "ts": "text/plain; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
_COMPRESSED_ALREADY = frozenset({"image/png", "font/woff2"})
_HASH_DIGITS = 32


class StaticFile(Struct, frozen=True):
    """A file and what it is in each content coding.

    Attributes:
        content_type: the value of the header.
        bodies: the bytes by their coding, the best coding first, the file as it is last.
        digest: of the file; names its version.
    """

    content_type: str
    bodies: Mapping[str, bytes]
    digest: str

    @property
    def body(self) -> bytes:
        """The file as it is."""
        return self.bodies[IDENTITY]

    def etag(self, coding: str) -> str:
        """The strong validator of the file in one coding (RFC 9110 section 8.8.3).

        Args:
            coding: one of `bodies`.
        """
        suffix = "" if coding == IDENTITY else f"-{coding}"
        return f'"{self.digest}{suffix}"'


def static_file(body: bytes, content_type: str) -> StaticFile:
    """Make a file, in every coding that makes it smaller.

    Args:
        body: the file as it is.
        content_type: the value of the header.
    """
    bodies = {}
    if content_type not in _COMPRESSED_ALREADY:
        for coding, compress in compressors().items():
            compressed = compress(body)
            if len(compressed) < len(body):
                bodies[coding] = compressed
    digest = hashlib.sha256(body).hexdigest()[:_HASH_DIGITS]
    return StaticFile(content_type, {**bodies, IDENTITY: body}, digest)


@cache
def packaged() -> Mapping[str, StaticFile]:
    """The files of this package by their relative paths."""
    return load(files(__package__) / "static")


def load(folder: Traversable) -> dict[str, StaticFile]:
    """Read every file of a known type; the keys are relative paths.

    Args:
        folder: where the files are.
    """
    return dict(_walk(folder, ""))


def version_of(table: Mapping[str, StaticFile]) -> str:
    """Name the version of all files together: modules refer to each other without a version.

    Args:
        table: the files by their names.
    """
    lines = (f"{name} {file.digest}\n" for name, file in sorted(table.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:_HASH_DIGITS]


def edited(file: StaticFile, edit: Callable[[bytes], bytes]) -> StaticFile:
    """Make a file with other content and the same type.

    Args:
        file: the file.
        edit: gets its bytes and returns those of the new one.
    """
    return static_file(edit(file.body), file.content_type)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif content_type := _TYPES.get(entry.name.rpartition(".")[2]):
            found.append((name, static_file(entry.read_bytes(), content_type)))
    return found
