"""How long each form of the server takes to start: ``make binary``, then ``make bench-start``.

Rounds take turns, so that a busy machine disturbs all forms alike; the medians are shown, and what
each is of the Python package's. CPU is what the process and its children have used until then.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
FORMS = {
    "package": ROOT / ".venv" / "bin" / "presence-server",
    "single file": ROOT / "dist" / "presence-server",
    "folder": ROOT / "build" / "binary" / "dist" / "folder" / "presence-server",
}


def start(program: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and MiB of memory until ``/readyz`` says ready, launcher included."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {"DATABASE_URL": f"sqlite:///{folder}/presence.db", "TMPDIR": folder}
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(program), "serve", "--port", "0"],
            env=environ,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if b'"listening"' in line:
                    wait_until_ready(str(json.loads(line)["url"]))
                    break
            seconds = time.perf_counter() - begun
            pids = [process.pid, *children(process.pid)]
            return seconds, sum(map(cpu_seconds, pids)), sum(map(proportional_mib, pids))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=30)


def wait_until_ready(url: str) -> None:
    """Ask until it is."""
    connection = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=30)
    while True:
        connection.request("GET", "/readyz")
        if json.loads(connection.getresponse().read())["status"] == "ready":
            connection.close()
            return


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """CPU time used so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_mib(pid: int) -> float:
    """Memory in MiB; pages that processes share are shared out (Pss)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError("Pss")


def main() -> int:
    """Print one line a form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    forms = {name: path for name, path in FORMS.items() if path.exists()}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in forms}
    for turn in range(rounds + 1):
        for name, path in forms.items():
            measured = start(path)
            if turn:  # The first reads the files into the page cache.
                found[name].append(measured)
    base = [statistics.median(values) for values in zip(*found["package"], strict=True)]
    for name, measured_values in found.items():
        medians = [statistics.median(values) for values in zip(*measured_values, strict=True)]
        seconds, cpu, mib = medians
        fastest = min(value[0] for value in measured_values)
        print(
            f"{name:>12}: ready after {seconds:.2f} s ({seconds / base[0]:.2f} ×; fastest "
            f"{fastest:.2f}), {cpu:.2f} s of CPU ({cpu / base[1]:.2f} ×), {mib:.0f} MiB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
