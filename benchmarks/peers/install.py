"""Installs the peers, one by one, so that one that cannot be had does not keep the others away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib

from benchmarks.peers.catalog import NODE
from benchmarks.peers.process import ROOT

TIMEOUT_S = 300


def main() -> None:
    """What is installed already costs a look."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for requirement in project["project"]["optional-dependencies"]["bench"]:
        _try([*pip, "--no-input", requirement], requirement)
    npm = shutil.which("npm")
    if npm is not None and _are_missing():
        options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        _try([npm, "install", "--prefix", str(NODE), *options], "peers on Node")


def _are_missing() -> bool:
    wanted = json.loads((NODE / "package.json").read_text())["dependencies"]
    return not all((NODE / "node_modules" / name).exists() for name in wanted)


def _try(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        print(f"{what}: not installed within {TIMEOUT_S} s", file=sys.stderr)
        return
    if done.returncode:
        said = done.stderr.strip().splitlines()
        print(f"{what}: not installed: {said[-1] if said else 'no reason given'}", file=sys.stderr)


if __name__ == "__main__":
    main()
