"""The version is written once, in the package; what repeats it agrees."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from presence_server import __version__

ROOT = Path(__file__).parent.parent


def test_the_metadata_takes_it_from_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "presence_server/__init__.py"


def test_what_repeats_it_agrees() -> None:
    for name, form in {
        "deploy/Dockerfile": r'image\.version="([^"]+)"',
        "docs/operations.md": r"presence-server_([\d.]+)_amd64\.deb",
        "docs/performance.md": r"presence-server (\d+\.\d+\.\d+)",
    }.items():
        found = re.findall(form, (ROOT / name).read_text())
        assert found, name
        assert set(found) == {__version__}, name
    assert re.search(rf"^(## {__version__}|This will be {__version__})", _changelog(), re.MULTILINE)


def test_no_other_project_file_has_one() -> None:
    package = ROOT / "benchmarks" / "peers" / "servers" / "node" / "package.json"
    assert json.loads(package.read_text()).get("version") is None


def _changelog() -> str:
    return (ROOT / "docs" / "CHANGELOG.md").read_text()
