"""The single file runs where there are libc6 and zlib1g, and nothing else: no Python, no shell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.binary.kit import PATIENCE_S, Program
from tests.binary.roots import Root, debian_root
from tests.certificates import self_signed

pytestmark = pytest.mark.root

NOBODY = "65534:65534"


@pytest.fixture(scope="module")
def bare(places: Path) -> Iterator[Root]:
    with debian_root(["libc6", "zlib1g"], with_dependencies=False) as root:
        shutil.copy(places / "presence-server", root.folder / "presence-server")
        (root.folder / "data").mkdir(mode=0o777)
        (root.folder / "data").chmod(0o777)
        yield root


def inside(root: Root, home: Path) -> Program:
    """The file as it is seen inside."""
    return Program(Path("/presence-server"), home, None)


def test_serves_and_is_ready(bare: Root, home: Path) -> None:
    assert bare.find("*python*") == []
    assert bare.find("sh") == []
    words = ["--database", "sqlite:////data/presence.db"]
    with inside(bare, home).serving(*words, before=bare.prefix(NOBODY)) as server:
        assert json.loads(server.get("/readyz"))["status"] == "ready"
        assert {entry["level"] for entry in server.log} == {"info"}, server.lines
        options = ["--users", "3", "--seconds", "0.2"]
        report = bare.run("/presence-server", "load", "--server", server.url, *options, user=NOBODY)
        assert "joined     3, queued 0, failed 0" in report


def test_trusts_the_certificates_of_the_machine_wherever_they_are(bare: Root, home: Path) -> None:
    certificate, key = self_signed(bare.folder / "data")
    key.chmod(0o644)
    tls = {
        "PRESENCE_SERVER__TLS_CERTFILE": "/data/cert.pem",
        "PRESENCE_SERVER__TLS_KEYFILE": "/data/key.pem",
    }
    words = ["--database", "sqlite:////data/tls.db"]
    with inside(bare, home).serving(*words, before=bare.prefix(NOBODY), **tls) as server:
        watch = ["watch", "demo", "--server", server.url, "--user", "ada"]
        refused = inside(bare, home).start(*watch, before=bare.prefix(NOBODY))
        refused.communicate(timeout=PATIENCE_S)
        assert refused.returncode == 2
        # As Fedora has it, while the file was built on Debian.
        roots = bare.folder / "etc" / "pki" / "tls" / "certs" / "ca-bundle.crt"
        roots.parent.mkdir(parents=True)
        shutil.copy(certificate, roots)
        watching = inside(bare, home).start(*watch, before=bare.prefix(NOBODY))
        assert watching.stdout is not None
        assert "joined, 1 present: ada" in watching.stdout.readline()
        watching.kill()
        watching.communicate(timeout=PATIENCE_S)
