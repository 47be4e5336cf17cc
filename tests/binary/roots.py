"""Small Debian systems, copied from this machine's own packages: nothing is downloaded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.binary.kit import PATIENCE_S, empty_home

MERGED = ("bin", "lib", "lib64", "sbin")
"""Folders that are links into /usr on today's Debian."""


class Root:
    """A folder that programs see as ``/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, user: str = "root", **environ: str) -> str:
        """Run a command inside, which must end well; what it printed."""
        done = subprocess.run(
            ["/usr/sbin/chroot", f"--userspec={user}", str(self.folder), *words],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
            | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def find(self, pattern: str) -> list[Path]:
        """The paths inside whose names match, but for those of processes."""
        tops = [path for path in self.folder.iterdir() if path.name != "proc"]
        found = [path for top in tops if not top.is_symlink() for path in top.rglob(pattern)]
        return found + [path for path in tops if path.match(pattern)]

    def prefix(self, user: str) -> list[str]:
        """What executes a program inside, as a user by number."""
        return ["/usr/sbin/chroot", f"--userspec={user}", str(self.folder)]


@contextmanager
def debian_root(packages: Sequence[str], *, with_dependencies: bool) -> Iterator[Root]:
    """A system of these packages; with the ones they depend on, it is a whole Debian with dpkg.

    ``/proc`` is mounted while it is there.
    """
    names = closure([*essential(), *packages]) if with_dependencies else list(packages)
    with empty_home(None) as folder:
        for name in MERGED:
            place = Path("/") / name
            if place.is_symlink():
                (folder / name).symlink_to(place.readlink())
                (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        _copy(_files(names), folder)
        for name in ("proc", "tmp", "dev", "run", "etc"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        # A device node, since shells write to it.
        os.mknod(folder / "dev" / "null", 0o666 | 0o020000, os.makedev(1, 3))
        (folder / "dev" / "null").chmod(0o666)
        if with_dependencies:
            _record(names, folder)
        subprocess.run(["mount", "-t", "proc", "proc", str(folder / "proc")], check=True)
        try:
            yield Root(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder / "proc")], check=True)


def essential() -> list[str]:
    """The packages that every Debian has, and whose scripts no package has to name."""
    form = "${Essential} ${Package}\n"
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", form], check=True, capture_output=True, text=True
    ).stdout
    return re.findall(r"^yes (.*)$", listed, re.MULTILINE)


def closure(packages: Iterable[str]) -> list[str]:
    """The packages and all that they depend on, of those that are installed here."""
    form = "${binary:Package}\t${Pre-Depends}, ${Depends}\t${Provides}\t${db:Status-Abbrev}\n"
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", form], check=True, capture_output=True, text=True
    ).stdout
    needs: dict[str, list[str]] = {}
    providers: dict[str, str] = {}
    for line in listed.splitlines():
        name, depends, provides, status = line.split("\t")
        if status.startswith("ii"):
            name = name.partition(":")[0]
            needs[name] = _alternatives(depends)
            providers.update(dict.fromkeys(_alternatives(provides), name))
    found: list[str] = []
    waiting = list(packages)
    while waiting:
        wanted = waiting.pop()
        name = wanted if wanted in needs else providers.get(wanted, "")
        if name and name not in found:
            found.append(name)
            waiting += needs[name]
    return sorted(found)


def _alternatives(field: str) -> list[str]:
    """The names in a relationship field, without versions and architectures."""
    return list(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", field))


def _files(packages: Sequence[str]) -> list[str]:
    listed = subprocess.run(
        ["dpkg-query", "-L", *packages], check=True, capture_output=True, text=True
    ).stdout
    paths = {line for line in listed.splitlines() if line.startswith("/") and line != "/."}
    skipped = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/")
    return sorted(path for path in paths if not path.startswith(skipped))


def _copy(paths: Iterable[str], folder: Path) -> None:
    for name in paths:
        source, target = Path(name), folder / name[1:]
        if target.is_symlink() or not os.path.lexists(source):
            continue
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy2(source, target, follow_symlinks=False)


def _record(packages: Sequence[str], folder: Path) -> None:
    """Dpkg's database of the packages, and the users that a fresh system has."""
    database = folder / "var" / "lib" / "dpkg"
    (database / "info").mkdir(parents=True, exist_ok=True)
    (database / "updates").mkdir(exist_ok=True)
    status = Path("/var/lib/dpkg/status").read_text().split("\n\n")
    kept = [
        part for part in status if part.partition("\n")[0].removeprefix("Package: ") in packages
    ]
    (database / "status").write_text("\n\n".join(kept) + "\n")
    for name in packages:
        for path in Path("/var/lib/dpkg/info").glob(f"{name}[.:]*"):
            if path.suffix in (".list", ".md5sums", ".triggers", ".shlibs"):
                shutil.copy2(path, database / "info")
    for name in ("passwd", "group"):
        shutil.copy(Path("/usr/share/base-passwd") / f"{name}.master", folder / "etc" / name)
    for name in ("shadow", "gshadow"):
        (folder / "etc" / name).touch(0o640)
