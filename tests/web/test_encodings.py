"""Which content coding a client gets."""

from __future__ import annotations

import gzip
import sys
from types import ModuleType

import pytest

from presence_server.web.encodings import choose, compressors


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([], "identity"),
        ([""], "identity"),
        (["gzip"], "gzip"),
        (["gzip, deflate, br, zstd"], "br"),
        (["GZIP"], "gzip"),
        (["x-gzip"], "gzip"),
        (["deflate", "gzip;q=0.5"], "gzip"),
        (["br;q=0.1, gzip;q=0.9"], "gzip"),
        (["gzip; q=1.000 , br ; Q=0.999"], "gzip"),
        (["br;q=0, gzip;q=0"], "identity"),
        (["gzip;q=0.000"], "identity"),
        (["*"], "br"),
        (["br;q=0, *"], "gzip"),
        (["*;q=0.5, gzip"], "gzip"),
        (["identity"], "identity"),
        (["identity, gzip;q=0.5"], "identity"),
        (["identity;q=0.5, gzip;q=0.5"], "gzip"),
        (["identity;q=0, gzip"], "gzip"),
        (["identity;q=0, *"], "br"),
        (["zstd"], "identity"),
        (["gzip;q=nonsense"], "identity"),
        (["gzip;q=2"], "identity"),
        (["gzip;q=-1"], "identity"),
        (["gzip;q="], "identity"),
        (["gzip;level=3"], "gzip"),
        ([",,;,gzip"], "gzip"),
        (["identity;q=0"], None),
        (["*;q=0"], None),
        (["zstd, *;q=0"], None),
        (["gzip;q=0, identity;q=0"], None),
        (["*;q=0, identity"], "identity"),
        (["*;q=0, identity;q=0.1"], "identity"),
    ],
)
def test_a_client_gets_the_coding_that_it_asks_for(values: list[str], coding: str | None) -> None:
    assert choose(values, ["br", "gzip"]) == coding


def test_without_a_coding_the_file_is_sent_as_it_is() -> None:
    assert choose(["gzip, br"], []) == "identity"
    assert choose(["identity;q=0, gzip"], []) is None


def test_gzip_is_the_same_in_every_process() -> None:
    compress = compressors()["gzip"]
    assert compress(b"abc" * 99) == compress(b"abc" * 99)
    assert gzip.decompress(compress(b"abc" * 99)) == b"abc" * 99


def test_brotli_comes_first_where_there_is_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("brotli")
    library.compress = lambda body, quality: b"%d" % quality  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "brotli", library)
    found = compressors()
    assert list(found) == ["br", "gzip"]
    assert found["br"](b"abc") == b"9"


def test_without_a_library_there_is_gzip_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("brotli", "brotlicffi"):
        monkeypatch.setitem(sys.modules, name, None)
    assert list(compressors()) == ["gzip"]
