"""The same commit, built in another folder, gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.binary.kit import DIST, FOLDER, ROOT, one_package

BUILD_S = 900.0
"""A bound on a build, which takes a minute on a machine that is not busy."""


def test_a_second_build_elsewhere_gives_the_same_file_and_packages(tmp_path: Path) -> None:
    source, dist = tmp_path / "elsewhere" / "source", tmp_path / "dist"
    copy_of_the_inputs(source)
    about = json.loads((FOLDER / "_internal/presence_server/_deploy/build.json").read_text())
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    # A copy has no history to read them from.
    environ |= {"COMMIT": about["commit"], "SOURCE_DATE_EPOCH": about["epoch"]}
    packaging = source / "deploy" / "packaging"
    base = ROOT / ".venv" / "bin" / "python"
    build(environ, base, packaging / "build.py", "--dist", dist)
    made = source / "build" / "binary" / "venv" / "bin" / "python"
    build(environ, made, packaging / "package.py", "--dist", dist)
    ours = [DIST / "presence-server", one_package(".tar.gz"), one_package(".deb")]
    assert {path.name: digest(dist / path.name) for path in ours} == {
        path.name: digest(path) for path in ours
    }


def copy_of_the_inputs(target: Path) -> None:
    for name in ("presence_server", "migrations", "config", "deploy"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)


def build(environ: dict[str, str], *words: object) -> None:
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        timeout=BUILD_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
