"""``make binary``: builds the single file and the folder, in an environment of their own.

The environment is made from the wheel and from ``constraints.txt`` alone. Nothing of the
development environment comes in, and the same commit gives the same bytes in any folder.
Runs with the standard library of any Python that the server runs on, as the image's builder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from glibc import floor_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONSTRAINTS = HERE / "constraints.txt"
BUILD = ROOT / "build" / "binary"
DIST = ROOT / "dist"
PROGRAM = "presence-server"
EPOCH_WITHOUT_GIT = 1_767_225_600
"""2026-01-01 UTC, for a tree that has no history."""


def main() -> None:
    """Build, and say how large the file is and which glibc it wants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dist", type=Path, default=DIST, help="where the results go")
    parser.add_argument("--work", type=Path, default=BUILD, help="where everything else goes")
    options = parser.parse_args()
    work, dist = options.work.resolve(), options.dist.resolve()
    work.mkdir(parents=True, exist_ok=True)
    environ = reproducible_environ(work)
    python = build_environment(work, environ)
    about = about_build(environ)
    run_pyinstaller(python, work, environ, about)
    publish(work, dist, about)


def reproducible_environ(work: Path) -> dict[str, str]:
    """The environment variables of every step, those that make builds repeatable included.

    Args:
        work: holds PyInstaller's cache, so that no other build's leftovers come in.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **kept,
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or str(commit_time()),
        "PYTHONHASHSEED": "1",
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
        # Also for the environment in which pip builds the wheel, which `-c` does not reach.
        "PIP_CONSTRAINT": str(CONSTRAINTS),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def build_environment(work: Path, environ: Mapping[str, str]) -> Path:
    """The Python of an environment that holds PyInstaller and the server's wheel.

    It is kept, and only the wheel is installed anew, while Python and the constraints stay.
    """
    folder, stamp = work / "venv", work / "venv.stamp"
    python = folder / "bin" / "python"
    wanted = f"{sys.version}\n{hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()}\n"
    pip = [str(python), "-m", "pip", "--quiet"]
    wheel = build_wheel(work, environ)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        run([*pip, "install", "pyinstaller", str(wheel)], environ)
        stamp.write_text(wanted)
    run([*pip, "install", "--no-deps", "--force-reinstall", str(wheel)], environ)
    check_pinned(python, environ)
    return python


def build_wheel(work: Path, environ: Mapping[str, str]) -> Path:
    """The wheel, built by pip in an environment that pip makes for it."""
    wheels = work / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "wheel",
            "--no-deps",
            "-w",
            str(wheels),
            str(ROOT),
        ],
        environ,
    )
    (wheel,) = wheels.glob("*.whl")
    return wheel


def check_pinned(python: Path, environ: Mapping[str, str]) -> None:
    """End the build if a package is in the environment that the constraints do not name."""
    pinned = set(re.findall(r"^([\w.-]+)==", CONSTRAINTS.read_text(), re.MULTILINE))
    known = {canonical(name) for name in pinned} | {canonical(PROGRAM)}
    command = [str(python), "-m", "pip", "list", "--format=json"]
    listed = subprocess.run(command, check=True, capture_output=True, env=dict(environ)).stdout
    # pip and setuptools come with the Python; the recipe leaves both out.
    found = {canonical(entry["name"]) for entry in json.loads(listed)} - {"pip", "setuptools"}
    if found - known:
        sys.exit(f"build: not in {CONSTRAINTS.name}: {', '.join(sorted(found - known))}")


def canonical(name: str) -> str:
    """The name of a package as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def about_build(environ: Mapping[str, str]) -> dict[str, str]:
    """What ``--version`` says of the build."""
    return {"commit": commit(), "epoch": environ["SOURCE_DATE_EPOCH"]}


def run_pyinstaller(
    python: Path, work: Path, environ: Mapping[str, str], about: Mapping[str, str]
) -> None:
    """Build both forms into ``work / "dist"``."""
    site = subprocess.run(
        [str(python), "-c", "import presence_server as p; print(p.__path__[0])"],
        check=True,
        capture_output=True,
        text=True,
        env=dict(environ),
        cwd=work,
    ).stdout.strip()
    (Path(site) / "_deploy" / "build.json").write_text(json.dumps(about, sort_keys=True) + "\n")
    shutil.rmtree(work / "dist", ignore_errors=True)
    # Only this folder's files: the spec finds main.py beside itself, not in the checkout.
    recipe = work / "recipe"
    shutil.rmtree(recipe, ignore_errors=True)
    recipe.mkdir()
    for name in ("presence-server.spec", "main.py"):
        shutil.copy(HERE / name, recipe / name)
    folders = ["--distpath", str(work / "dist"), "--workpath", str(work / "work")]
    options = ["--clean", "--noconfirm", "--log-level", "WARN", *folders]
    spec = str(recipe / "presence-server.spec")
    run([str(python), "-m", "PyInstaller", *options, spec], environ, cwd=recipe)


def publish(work: Path, dist: Path, about: Mapping[str, str]) -> None:
    """Copy the single file to ``dist``, and say what it is."""
    dist.mkdir(parents=True, exist_ok=True)
    built = work / "dist" / PROGRAM
    target = dist / PROGRAM
    # A new inode: a server may run from the old one.
    target.unlink(missing_ok=True)
    shutil.copy2(built, target)
    floor = floor_of(work / "dist" / "folder")
    # For package.py.
    (work / "glibc").write_text(f"{floor}\n")
    (work / "epoch").write_text(about["epoch"])
    size_mb = target.stat().st_size / 1e6
    print(f"{target}: {size_mb:.1f} MB, {platform.machine()}, commit {about['commit']}")
    print(f"needs glibc {floor} or newer")
    print(f"sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


def commit() -> str:
    """The first 12 characters of the commit's name, with a plus if files differ from it."""
    if os.environ.get("COMMIT"):
        return os.environ["COMMIT"]  # In an image's builder there is no repository.
    inputs = ("presence_server", "migrations", "config", "deploy", "pyproject.toml")
    changed = "+" if git("status", "--porcelain", "--", *inputs) else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


def commit_time() -> int:
    """When the commit was made, in seconds since the epoch."""
    return int(git("log", "-1", "--format=%ct") or EPOCH_WITHOUT_GIT)


def git(*words: str) -> str:
    """What git says; nothing where there is no repository or no git."""
    command = ["git", "-C", str(ROOT), *words]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def run(command: list[str], environ: Mapping[str, str], cwd: Path = ROOT) -> None:
    """Run a step; its failure ends the build with its own message."""
    done = subprocess.run(command, check=False, env=dict(environ), cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"build: {' '.join(command[:4])} … failed with {done.returncode}")


if __name__ == "__main__":
    main()
