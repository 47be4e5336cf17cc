"""The pages about frameworks show what the examples do, and name what the package exports."""

from __future__ import annotations

import json
import re

import pytest

from tests.docs.documents import ROOT, Document

PAGES = {
    "react": ("tsx", "Page.tsx"),
    "vue": ("vue", "Page.vue"),
    "svelte": ("svelte", "Page.svelte"),
}
TABLES = {"react": "hook", "vue": "composable", "svelte": "store"}
SOURCE = ROOT / "deploy" / "npm" / "src"


@pytest.mark.parametrize("framework", PAGES)
def test_the_code_of_a_page_is_that_of_its_example(framework: str) -> None:
    language, file = PAGES[framework]
    source = (ROOT / "docs" / "examples" / framework / "src" / file).read_text(encoding="utf-8")
    assert Document(f"{framework}.md").code(language) == [source]


@pytest.mark.parametrize("framework", PAGES)
def test_a_page_names_what_its_layer_exports(framework: str) -> None:
    source = (SOURCE / f"{framework}.ts").read_text(encoding="utf-8")
    exported = set(re.findall(r"^export function (\w+)", source, re.M))
    rows = Document(f"{framework}.md").table(TABLES[framework])
    listed = {re.sub(r"\W.*", "", row[0].strip("`.")) for row in rows}
    if framework == "svelte":
        board = source.partition("export interface Board")[2].partition("\n}")[0]
        exported |= set(re.findall(r"^  (?:readonly )?(\w+)[:(<]", board, re.M))
    assert listed == exported


def test_the_browser_page_names_each_import_of_the_package() -> None:
    manifest = json.loads((ROOT / "deploy" / "npm" / "package.json").read_text(encoding="utf-8"))
    rows = Document("browser.md").table("import")
    cells = re.findall(r"`([\w/-]+)`", "".join(row[0] for row in rows))
    listed = {cell.removeprefix(manifest["name"]).lstrip("/") for cell in cells}
    exported = {entry.removeprefix(".").lstrip("/") for entry in manifest["exports"]}
    assert listed == exported - {"package.json"}


def test_the_examples_ask_for_what_the_tests_install() -> None:
    pinned = json.loads((ROOT / ".ci" / "frameworks" / "package.json").read_text())[
        "devDependencies"
    ]
    types = json.loads((ROOT / ".ci" / "types" / "package.json").read_text())["devDependencies"]
    for manifest in (ROOT / "docs" / "examples").glob("*/package.json"):
        wanted = json.loads(manifest.read_text())
        packages = wanted["dependencies"] | wanted["devDependencies"]
        packages.pop("presence-server-client")
        assert {name: f"^{(pinned | types)[name]}" for name in packages} == packages
