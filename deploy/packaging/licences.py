"""The licences of everything that a build contains, in one text for the packages.

Runs with the Python of the build's environment, whose packages are those that are inside.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

BUILD_TOOLS = {"altgraph", "cffi", "packaging", "pip", "pycparser", "pyinstaller-hooks-contrib"}
"""In the environment, and not in the build. PyInstaller itself is: its launcher."""

OURS = "presence-server"
_LICENCE_FILE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)", re.IGNORECASE)
_SCRIPTS = Path("presence_server/web/static/vendor")
_NOTICE = ".LICENSE.txt"
"""The end of the name of a file beside a script of others."""
_SYSTEM_LIBRARY = re.compile(r"lib[^/]+\.so[.\d]*$")


def third_party_licences(folder: Path) -> str:
    """The text; ends the process if something inside has no licence that can be found.

    Args:
        folder: the built folder, for the libraries of the machine that were copied into it.
    """
    parts = [_section(f"Python {sys.version.split()[0]}", _python_licence())]
    ours = {OURS, *BUILD_TOOLS, "setuptools"}
    parts += [
        _section(f"{package.name} {package.version}", _licence_of(package))
        for package in sorted(distributions(), key=lambda found: found.name.lower())
        if re.sub(r"[-_.]+", "-", package.name).lower() not in ours
    ]
    parts += [
        _section(library.name, _copyright_of(library)) for library in system_libraries(folder)
    ]
    parts += [
        _section(notice.name.removesuffix(_NOTICE), notice.read_text(encoding="utf-8"))
        for notice in sorted((folder / "_internal" / _SCRIPTS).glob(f"*{_NOTICE}"))
    ]
    return "\n".join(parts)


def system_libraries(folder: Path) -> list[Path]:
    """The libraries of this machine that PyInstaller copied; those of wheels are in subfolders."""
    inside = folder / "_internal"
    return sorted(
        path
        for path in inside.iterdir()
        if _SYSTEM_LIBRARY.match(path.name) and not path.name.startswith("libpython")
    )


def _section(title: str, text: str) -> str:
    return f"{'=' * 80}\n{title}\n{'=' * 80}\n\n{text.strip()}\n"


def _python_licence() -> str:
    return (Path(sysconfig.get_path("stdlib")) / "LICENSE.txt").read_text(encoding="utf-8")


def _licence_of(package: Distribution) -> str:
    texts = [
        Path(str(package.locate_file(file))).read_text(encoding="utf-8", errors="replace")
        for file in package.files or ()
        if _LICENCE_FILE.match(file.name) and ".dist-info" in str(file)
    ]
    if not texts:
        # Its metadata is all that the wheel says.
        texts = list(_licence_in_metadata(package))
    if not texts:
        sys.exit(f"build: no licence found for {package.name}")
    return "\n\n".join(texts)


def _licence_in_metadata(package: Distribution) -> Iterator[str]:
    fields = package.metadata
    for name in ("License-Expression", "License"):
        if fields.get(name):
            yield f"{name}: {fields[name]}"
    for classifier in fields.get_all("Classifier") or ():
        if classifier.startswith("License ::"):
            yield classifier


def _copyright_of(library: Path) -> str:
    """What Debian's package of a library says; the library's own path tells which package."""
    for found in _places(library.name):
        done = subprocess.run(
            ["dpkg", "-S", str(found)], check=False, capture_output=True, text=True
        )
        if done.returncode == 0:
            package = done.stdout.partition(":")[0]
            path = Path("/usr/share/doc") / package / "copyright"
            if path.exists():
                return path.read_text(encoding="utf-8")
    sys.exit(f"build: no licence found for {library.name}")


def _places(name: str) -> Iterator[Path]:
    """Where the dynamic linker finds a library, as it names the path and with links followed."""
    cache = subprocess.run(
        ["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True
    ).stdout
    for path in re.findall(rf"^\s*{re.escape(name)} .*=> (\S+)$", cache, re.MULTILINE):
        yield Path(path)
        yield Path(path).resolve()
        yield Path("/usr" + path)
