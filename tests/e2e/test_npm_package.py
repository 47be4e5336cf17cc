"""The npm package, in applications of TypeScript and on servers that render pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presence_server import __version__
from tests.e2e.npm_kit import Workshop, run, workshop

pytestmark = [pytest.mark.e2e, pytest.mark.npm, pytest.mark.yjs]

HERE = Path(__file__).parent / "npm"
ELEMENTS = ("./bar", "./cursors", "./queue", "./debug")
LAYERS = ("./react", "./vue", "./svelte", "./yjs")
ENTRIES = (".", *ELEMENTS, *LAYERS, "./strings/ar", "./strings/de")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop(tmp_path_factory)


def test_it_has_types_for_each_import_and_the_licence(built: Workshop) -> None:
    manifest = json.loads((built.package / "package.json").read_text())
    assert manifest["version"] == __version__
    assert manifest["license"] == "Apache-2.0"
    assert (built.package / "LICENSE").is_file()
    assert set(ENTRIES) <= set(manifest["exports"])
    for entry in ENTRIES:
        module = built.package / manifest["exports"][entry]
        assert module.is_file()
        assert module.with_suffix(".d.ts").is_file()


def test_each_file_with_side_effects_is_named_for_bundlers(built: Workshop) -> None:
    manifest = json.loads((built.package / "package.json").read_text())
    defining = {
        f"./lib/{path.name}"
        for path in (built.package / "lib").glob("*.js")
        if "\ndefine(" in path.read_text()
    }
    named = set(manifest["sideEffects"])
    assert defining <= named
    assert named <= defining | {manifest["exports"][entry] for entry in ELEMENTS}


@pytest.mark.parametrize("example", ["typescript", "react"])
def test_a_strict_application_passes_the_type_check(built: Workshop, example: str) -> None:
    built.check_types(example)


def test_events_elements_and_hooks_are_typed(built: Workshop) -> None:
    folder = built.folder / "types"
    folder.mkdir(exist_ok=True)
    options = json.loads((built.folder / "react" / "tsconfig.json").read_text())
    options["include"] = ["."]
    (folder / "tsconfig.json").write_text(json.dumps(options))
    (folder / "usage.tsx").write_text((HERE / "usage.tsx").read_text())
    built.check_types("types")


def test_importing_it_in_node_does_nothing(built: Workshop) -> None:
    script = built.folder / "server.mjs"
    script.write_text((HERE / "server.mjs").read_text())
    assert run(built.folder, "node", script).splitlines() == [
        "react: nobody yet",
        "vue: nobody yet",
        "svelte: nobody yet",
    ]
