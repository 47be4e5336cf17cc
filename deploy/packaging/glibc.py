"""Which glibc a build wants: the newest version that any of its files asks for."""

from __future__ import annotations

import re
from pathlib import Path

_ELF = b"\x7fELF"
_VERSION = re.compile(rb"\x00GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\x00)")


def floor_of(folder: Path) -> str:
    """The oldest glibc that runs every program and library in a folder, such as ``2.34``.

    The names of the versions are strings in a file's dynamic string table, so looking for
    these strings finds all that it needs.
    """
    versions = {
        (int(major), int(minor))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
        for major, minor in _VERSION.findall(_elf(path))
    }
    major, minor = max(versions)
    return f"{major}.{minor}"


def _elf(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read() if file.read(4) == _ELF else b""
