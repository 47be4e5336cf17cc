"""The bundle in ``web/static/dist``: its size, its map, and the check that it is up to date."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web.test_client_library import node

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "presence_server" / "web" / "static"
DIST = STATIC / "dist"
MAX_GZIPPED_BYTES = 20_000


def loaded_at_first(name: str) -> set[str]:
    """A file of the bundle, and those that a browser must load before it runs."""
    found = {name}
    text = (DIST / name).read_text(encoding="utf-8")
    for imported in re.findall(r"""(?:from|import)\s*["'`]\./([\w-]+\.js)["'`]""", text):
        found |= loaded_at_first(imported)
    return found


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [node(), str(ROOT / ".ci/assets/build.mjs"), "--check", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_client_bar_cursors_and_queue_have_at_most_20_000_bytes_gzipped() -> None:
    files = [(DIST / name).read_bytes() for name in loaded_at_first("presence.js")]
    assert sum(len(gzip.compress(file, 9)) for file in files) <= MAX_GZIPPED_BYTES


def test_has_what_each_module_of_an_element_exports() -> None:
    exported = set(
        re.findall(r"as (\w+)", (DIST / "presence.js").read_text().rsplit("export{")[-1])
    )
    assert {"PresenceBar", "PresenceClient", "PresenceCursors", "PresenceQueue"} <= exported


def test_the_source_map_leads_to_the_modules() -> None:
    found = json.loads((DIST / "presence.js.map").read_text())
    sources = {(DIST / source).resolve() for source in found["sources"]}
    assert STATIC / "presence-client.js" in sources
    assert all(source.is_file() for source in sources)


@pytest.mark.assets
def test_the_check_names_the_files_that_are_not_up_to_date(tmp_path: Path) -> None:
    shutil.copytree(DIST, tmp_path / "dist")
    script = tmp_path / "dist" / "presence.js"
    script.write_text(script.read_text() + "// changed by hand\n")
    (tmp_path / "dist" / "left-over.js").write_text("")
    done = check(tmp_path / "dist")
    assert done.returncode == 1
    assert "presence.js" in done.stderr
    assert "left-over.js" in done.stderr
    assert "make assets" in done.stderr


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_without_node_the_check_says_so_and_fails_on_ci_only(
    tmp_path: Path, ci: str, status: int
) -> None:
    for program in ("sh", "dirname"):
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    done = subprocess.run(
        [str(tmp_path / "sh"), str(ROOT / ".ci" / "check-assets")],
        env={**os.environ, "PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert "the bundle is not checked" in done.stderr
