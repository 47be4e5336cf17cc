"""What the repository may hold: known places, short files, nothing left over."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "presence_server"
TOP_LEVEL = {
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "config",
    "deploy",
    "docs",
    "migrations",
    "presence_server",
    "pyproject.toml",
    "tests",
}
MAX_LINES = 320

# Files that others wrote or a program made.
_BUILT = re.compile(r"presence_server/web/static/(?:dist|vendor)/")

# The brackets keep this file from finding itself.
_MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:[w]ork|[r]oot|(?:[h]ome|[U]sers)/\w+)/")
_LEFT_OVER = re.compile(r"\b(?:[T]ODO|[F]IXME|[X]XX)\b")
_PLACE = re.compile(r"`([\w./]+)`")
_DRAWN = re.compile(
    r"\b(?:protocol|core|rooms|transport|presence|storage|cache|web|server)/[\w/]*(?:\w)"
)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The files in git that are on disk, as paths from the root."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    names = listed.stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def text_of(name: str) -> str | None:
    """The text of a file; None if it is not text."""
    data = (ROOT / name).read_bytes()
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def lines_with(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name in names
        for number, line in enumerate((text_of(name) or "").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_only_known_things_are_at_the_top(tracked: list[str]) -> None:
    top = {name.partition("/")[0] for name in tracked}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_no_file_of_the_package_is_too_long(tracked: list[str]) -> None:
    lengths = {
        name: len((text_of(name) or "").splitlines())
        for name in tracked
        if name.startswith("presence_server/") and not _BUILT.match(name)
    }
    assert lengths
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_no_file_names_a_path_of_the_machine_it_was_written_on(tracked: list[str]) -> None:
    assert lines_with(_MACHINE_PATH, tracked) == []


def test_nothing_is_left_to_do_in_a_comment(tracked: list[str]) -> None:
    assert lines_with(_LEFT_OVER, tracked) == []


def test_links_between_documents_lead_somewhere(tracked: list[str]) -> None:
    broken = [
        f"{name} -> {target}"
        for name in tracked
        if name.endswith(".md")
        for target in _LINK.findall(text_of(name) or "")
        if not ((ROOT / name).parent / target).exists()
    ]
    assert broken == []


def test_the_architecture_page_has_one_line_for_each_folder_of_the_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page[page.index("## Where things live") :].split("\n\n")[1]
    described = [
        name for row in table.splitlines()[2:] for name in _PLACE.findall(row.split("|")[1])
    ]
    folders = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.glob("*/**/__init__.py")}
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    assert sorted(described) == sorted(folders | modules)


def test_the_architecture_page_names_only_places_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", page)) - {"benchmarks/"}
    diagram = page.split("```")[1]
    drawn = {place.rstrip(".") for place in _DRAWN.findall(diagram)}
    assert drawn
    missing = {name for name in named if not (PACKAGE / name).exists()}
    for place in drawn:
        if not (PACKAGE / place).is_dir() and not (PACKAGE / f"{place}.py").is_file():
            missing.add(place)
    assert missing == set()
