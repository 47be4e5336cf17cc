"""The built programs, and people without rights who run them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.binary.kit import FILE, FOLDER, Program, empty_home, stranger


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here; those that need root are skipped for everybody else."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.binary)
            if item.get_closest_marker("root") and os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    """Skip the tests where nothing is built; on CI that is a failure."""
    if not FILE.exists():
        message = "needs dist/presence-server: make test-binary builds it"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


@pytest.fixture(scope="session")
def places() -> Iterator[Path]:
    """A folder that everybody may read, with a copy of the file and of the folder."""
    with empty_home(None) as folder:
        shutil.copy(FILE, folder / "presence-server")
        shutil.copytree(FOLDER, folder / "folder", symlinks=True)
        yield folder


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty folder."""
    with empty_home(stranger()) as folder:
        yield folder


@pytest.fixture
def single(places: Path, home: Path) -> Program:
    """The single file."""
    return Program(places / "presence-server", home, stranger())


@pytest.fixture(params=["file", "folder"])
def program(request: pytest.FixtureRequest, places: Path, home: Path) -> Program:
    """Each of the two forms."""
    paths = {"file": places / "presence-server", "folder": places / "folder" / "presence-server"}
    return Program(paths[request.param], home, stranger())
