"""``make packages``: the folder as a ``.deb`` and a ``.tar.gz``.

Runs with the Python of the build's environment, after build.py.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from licences import third_party_licences

from presence_server import __version__
from presence_server.cli.unit import unit_text
from presence_server.frozen import Form

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAME = "presence-server"
USER = "presence-server"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Debian's names for those of the kernel."""


def main() -> None:
    """Make both packages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "binary")
    options = parser.parse_args()
    work, dist = options.work.resolve(), options.dist.resolve()
    epoch = int((work / "epoch").read_text())
    folder = work / "dist" / "folder"
    licences = third_party_licences(folder)
    print(tarball(folder, licences, work / "tar", dist, epoch))
    floor = (work / "glibc").read_text().strip()
    print(deb(folder, licences, work / "deb", dist, epoch, floor))


def tarball(folder: Path, licences: str, work: Path, dist: Path, epoch: int) -> Path:
    """The folder, the example of settings and the licences, to unpack anywhere."""
    root = fresh(work) / f"{NAME}-{__version__}"
    shutil.copytree(folder, root, symlinks=True)
    shutil.copy(ROOT / "config" / "example.toml", root / "config.example.toml")
    shutil.copy(ROOT / "LICENSE", root)
    (root / "THIRD-PARTY-LICENSES.txt").write_text(licences, encoding="utf-8")
    settle(work, epoch)
    target = dist / f"{NAME}-{__version__}-linux-{platform.machine()}.tar.gz"
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in sorted([root, *root.rglob("*")]):
            archive.add(path, str(path.relative_to(work)), recursive=False, filter=of_root)
    return target


def of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry as root's, whoever builds."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def deb(folder: Path, licences: str, work: Path, dist: Path, epoch: int, floor: str) -> Path:
    """Folder, unit, settings and user, for dpkg."""
    root = fresh(work)
    library = root / "usr" / "lib" / NAME
    shutil.copytree(folder, library, symlinks=True)
    place(root / "usr/bin" / NAME).symlink_to(f"../lib/{NAME}/{NAME}")
    unit = place(root / "usr/lib/systemd/system" / f"{NAME}.service")
    unit.write_text(unit_text(Path("/usr/bin") / NAME, Form.FOLDER, user=USER), encoding="utf-8")
    shutil.copy(ROOT / "config" / "example.toml", place(root / "etc" / NAME / "config.toml"))
    own = (ROOT / "LICENSE").read_text(encoding="utf-8")
    notice = place(root / "usr/share/doc" / NAME / "copyright")
    notice.write_text(f"{own}\nThe program contains:\n\n{licences}", encoding="utf-8")
    control = root / "DEBIAN"
    shutil.copytree(HERE / "debian", control)
    template = (control / "control").read_text(encoding="utf-8")
    size_kib = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    filled = template.format(
        version=__version__, architecture=architecture, size_kib=size_kib, glibc=floor
    )
    (control / "control").write_text(filled, encoding="utf-8")
    settle(root, epoch)
    for script in ("postinst", "prerm", "postrm"):
        (control / script).chmod(0o755)
    target = dist / f"{NAME}_{__version__}_{architecture}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(target)]
    environ = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    if done.returncode != 0:
        sys.exit(f"build: {done.stderr}")
    return target


def fresh(folder: Path) -> Path:
    """An empty folder in the place of whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def place(path: Path) -> Path:
    """The path, once its folder is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def settle(root: Path, epoch: int) -> None:
    """Modes and times that do not depend on who builds, nor when."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


if __name__ == "__main__":
    main()
