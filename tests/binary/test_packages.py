"""The ``.deb`` and the ``.tar.gz``: what is in them, and that dpkg takes the one."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from presence_server import __version__
from tests.binary.kit import FILE, FOLDER, ROOT, Program, one_package
from tests.binary.roots import Root, debian_root

MAX_FILE_MB = 35
PROGRAM = "/usr/bin/presence-server"
CONFIG = "etc/presence-server/config.toml"


def control_field(name: str, package: Path) -> str:
    command = ["dpkg-deb", "--field", str(package), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_single_file_is_small_enough() -> None:
    assert FILE.stat().st_size <= MAX_FILE_MB * 1e6


def test_the_deb_wants_the_glibc_that_its_files_want() -> None:
    versions = set()
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"\x7fELF"):
            listed = subprocess.run(
                ["objdump", "-p", str(path)], check=True, capture_output=True, text=True
            ).stdout
            for major, minor in re.findall(r"\bGLIBC_(\d+)\.(\d+)", listed):
                versions.add((int(major), int(minor)))
    major, minor = max(versions)
    depends = control_field("Depends", one_package(".deb"))
    assert f"libc6 (>= {major}.{minor})" in depends
    assert "python" not in depends


def test_nothing_under_the_gpl_but_the_launcher_is_inside() -> None:
    names = {path.name for path in FOLDER.rglob("*")}
    assert not [name for name in names if re.match(r"libreadline|readline\.|_?gdbm|libgdbm", name)]


def test_nothing_of_a_development_environment_is_inside() -> None:
    strangers = ("pytest", "mypy", "ruff", "hypothesis", "playwright", "pip", "setuptools")
    names = {path.name.partition("-")[0] for path in (FOLDER / "_internal").iterdir()}
    assert not names & set(strangers)


def test_the_tarball_unpacks_to_a_program_that_runs(home: Path) -> None:
    with tarfile.open(one_package(".tar.gz")) as archive:
        assert {(entry.uid, entry.gid) for entry in archive} == {(0, 0)}
        archive.extractall(home, filter="tar")
    root = home / f"presence-server-{__version__}"
    assert Program(root / "presence-server", home, None).output("--version")
    example = root / "config.example.toml"
    assert example.read_bytes() == (ROOT / "config" / "example.toml").read_bytes()
    licences = (root / "THIRD-PARTY-LICENSES.txt").read_text()
    for name in ("Python 3", "trio ", "SQLAlchemy ", "pyinstaller ", "libssl", "libsqlite3", "yjs"):
        assert re.search(rf"^={{80}}\n{name}", licences, re.MULTILINE | re.IGNORECASE), name
    libraries = {path.name for path in (root / "_internal").glob("lib*.so*")}
    for library in libraries - {name for name in libraries if name.startswith("libpython")}:
        assert f"\n{library}\n" in licences


class TestDeb:
    """In a small Debian system, with its own dpkg."""

    @pytest.mark.root
    def test_installs_runs_upgrades_and_purges(self) -> None:
        with debian_root(["passwd"], with_dependencies=True) as root:
            package = root.folder / "first.deb"
            shutil.copy(one_package(".deb"), package)
            root.run("dpkg", "--install", "/first.deb")
            self._shows_what_was_installed(root)
            # What an operator changed stays, and so does the state.
            (root.folder / CONFIG).write_text("[board]\ncapacity = 7\n")
            state = root.folder / "var/lib/presence-server"
            state.mkdir()
            (state / "presence.db").touch()
            newer(package, root.folder / "second.deb")
            root.run("dpkg", "--install", "/second.deb")
            shown = root.run("dpkg-query", "-W", "-f", "${Version}", "presence-server")
            assert shown == f"{__version__}+1"
            assert "capacity = 7" in (root.folder / CONFIG).read_text()
            assert root.run(PROGRAM, "--version").startswith("presence-server ")
            root.run("dpkg", "--remove", "presence-server")
            assert (root.folder / CONFIG).exists()
            assert (state / "presence.db").exists()
            root.run("dpkg", "--purge", "presence-server")
            assert root.find("*presence-server*") == []
            assert "presence-server" not in (root.folder / "etc/passwd").read_text()

    def _shows_what_was_installed(self, root: Root) -> None:
        assert root.run(PROGRAM, "--version").startswith(f"presence-server {__version__}\nfolder,")
        assert root.run(PROGRAM, "check-config", "--config", f"/{CONFIG}")
        assert root.run("getent", "passwd", "presence-server").endswith("/usr/sbin/nologin\n")
        unit = (root.folder / "usr/lib/systemd/system/presence-server.service").read_text()
        assert f"ExecStart={PROGRAM} serve --config /{CONFIG}" in unit
        assert "User=presence-server" in unit
        listed = root.run("dpkg-query", "-W", "-f", "${Conffiles}", "presence-server")
        assert f"/{CONFIG}" in listed
        assert (root.folder / "usr/share/doc/presence-server/copyright").is_file()
        root.run(PROGRAM, "migrate", "up", "--database", "sqlite:////tmp/presence.db")


def newer(package: Path, target: Path) -> None:
    """The same package with a version that comes after it."""
    folder = target.with_suffix("")
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(folder)], check=True)
    control = folder / "DEBIAN" / "control"
    text = control.read_text()
    control.write_text(text.replace(f"Version: {__version__}\n", f"Version: {__version__}+1\n"))
    subprocess.run(
        ["dpkg-deb", "-Znone", "--build", str(folder), str(target)],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(folder)
