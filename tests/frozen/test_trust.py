"""A build finds the root certificates of the machine that it runs on."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from presence_server.frozen.trust import find_roots


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "ca-bundle.crt"
    path.touch()
    return path


def defaults(monkeypatch: pytest.MonkeyPatch, file: Path, folder: Path) -> None:
    paths = ssl.DefaultVerifyPaths("", "", "SSL_CERT_FILE", str(file), "SSL_CERT_DIR", str(folder))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


def test_the_first_bundle_that_exists_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Path
) -> None:
    (tmp_path / "certs").mkdir()  # A folder without certificates is as good as none.
    defaults(monkeypatch, tmp_path / "none", tmp_path / "certs")
    environ: dict[str, str] = {}
    find_roots(environ, [str(tmp_path / "missing"), str(bundle), "/dev/null"])
    assert environ == {"SSL_CERT_FILE": str(bundle)}


def test_nothing_is_set_where_there_is_no_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    defaults(monkeypatch, tmp_path / "none", tmp_path / "none")
    environ: dict[str, str] = {}
    find_roots(environ, [str(tmp_path / "missing")])
    assert environ == {}


def test_a_default_that_exists_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Path
) -> None:
    environ: dict[str, str] = {}
    defaults(monkeypatch, bundle, tmp_path / "none")
    find_roots(environ, [str(bundle)])
    (tmp_path / "5ed36f99.0").touch()
    defaults(monkeypatch, tmp_path / "none", tmp_path)
    find_roots(environ, [str(bundle)])
    assert environ == {}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_what_the_operator_set_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Path, name: str
) -> None:
    defaults(monkeypatch, tmp_path / "none", tmp_path / "none")
    environ = {name: "/mine"}
    find_roots(environ, [str(bundle)])
    assert environ == {name: "/mine"}
