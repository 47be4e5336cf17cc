"""Yjs as ``web/static/vendor`` has it: one module that a page may load under a strict policy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from presence_server.web import static_files
from tests.web.test_client_library import node

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "presence_server" / "web" / "static" / "vendor"
MODULE = (VENDOR / "yjs.js").read_text(encoding="utf-8")
LICENCES = (VENDOR / "yjs.LICENSE.txt").read_text(encoding="utf-8")


def test_names_its_versions_and_has_their_licences() -> None:
    locked = json.loads((ROOT / ".ci/assets/package-lock.json").read_text())["packages"]
    for name in ("yjs", "lib0", "y-protocols"):
        version = f"{name} {locked[f'node_modules/{name}']['version']}"
        assert version in MODULE.partition("\n")[0]
        assert version in LICENCES
        assert f"--- {name}\n\nThe MIT License" in LICENCES


def test_is_served_with_its_licences() -> None:
    served = static_files.packaged()
    assert served["vendor/yjs.js"].content_type == "text/javascript; charset=utf-8"
    assert served["vendor/yjs.LICENSE.txt"].content_type == "text/plain; charset=utf-8"


def test_loads_nothing_and_makes_no_code_of_text() -> None:
    assert not re.search(r"\bimport\b *[({\"']|\bfrom *[\"']|\brequire\(", MODULE)
    assert not re.search(r"\beval\(|\bFunction\(|innerHTML", MODULE)


@pytest.mark.assets
def test_the_check_names_the_files_that_are_not_what_the_packages_make(tmp_path: Path) -> None:
    shutil.copytree(VENDOR, tmp_path / "vendor")
    (tmp_path / "vendor" / "yjs.js").write_text(MODULE + "// changed by hand\n")
    done = subprocess.run(
        [node(), str(ROOT / ".ci/assets/vendor.mjs"), "--check", str(tmp_path / "vendor")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "yjs.js;" in done.stderr
    assert "make assets" in done.stderr
