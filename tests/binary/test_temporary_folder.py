"""Where the single file can unpack itself, and what is said where it cannot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.binary.kit import PATIENCE_S, ROOT, Program

OPERATIONS = " ".join((ROOT / "docs" / "operations.md").read_text().split())


def run_with_tmp(single: Program, options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``--version`` where /tmp and /var/tmp are mounted with options, in a namespace."""
    mounts = "; ".join(
        f"mount -t tmpfs -o {options} tmpfs {place}" for place in ("/tmp", "/var/tmp")
    )
    # The program lies under /tmp, too: keep it reachable.
    script = f'cp "$0" /run/presence-server; {mounts}; exec /run/presence-server --version'
    keep = "mount -t tmpfs tmpfs /run; "
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", keep + script, str(single.path)],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environ},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.root
@pytest.mark.parametrize("options", ["noexec", "ro"])
def test_without_a_usable_folder_the_launcher_says_so_in_words_that_the_docs_explain(
    single: Program, options: str
) -> None:
    done = run_with_tmp(single, options)
    assert done.returncode not in (0, 2)
    (line,) = done.stderr.splitlines()
    message = {
        "noexec": "failed to map segment from shared object",
        "ro": "Could not create temporary directory!",
    }[options]
    assert message in line
    assert message in OPERATIONS
    assert "TMPDIR" in OPERATIONS


@pytest.mark.root
@pytest.mark.parametrize("options", ["noexec", "ro"])
def test_with_tmpdir_on_an_executable_folder_it_runs(single: Program, options: str) -> None:
    done = run_with_tmp(single, options, TMPDIR="/run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("presence-server ")


@pytest.mark.root
def test_the_folder_form_needs_no_temporary_folder(single: Program, places: Path) -> None:
    script = "mount -o remount,ro,bind / ; exec"
    program = places / "folder" / "presence-server"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'mount --bind / / && {script} "$0" --version', program],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
