"""This server and its peers on the same work, side by side in one run.

Writes a table to stdout, and ``results.json`` and ``performance.png`` into the folder ``--out``.
Servers run on one core, the clients, all in this process, on another. A peer that is missing
or fails is named in the table, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.peers import report, works
from benchmarks.peers.catalog import ALL_TARGETS, OURS, Target, targets_of
from benchmarks.peers.process import on_client_core

Results = dict[str, dict[str, Any]]


def main() -> int:
    """Run what was asked for."""
    options = _parse()
    on_client_core()
    effort = works.SHORT if options.short else works.Effort()
    given = {name: getattr(options, name) for name in ("seconds", "rounds", "idle_seconds")}
    effort = msgspec.structs.replace(effort, **{k: v for k, v in given.items() if v is not None})
    targets = [t for t in ALL_TARGETS if not options.peers or t.name in options.peers]
    machine = report.machine()
    print(", ".join(machine.values()), flush=True)
    missing = {target.name: target.missing() for target in targets}
    versions: dict[str, dict[str, str]] = {}
    for target in targets:
        if not missing[target.name]:
            versions[target.name] = target.versions()
        about = ", ".join(f"{k} {v}" for k, v in versions.get(target.name, {}).items())
        print(f"  {target.title:27} {missing[target.name] or about}", flush=True)
    results: Results = {}
    path = options.out / "results.json"
    options.out.mkdir(parents=True, exist_ok=True)
    for work in options.works:
        print(f"\nWork {work}: {report.TITLES[work]}", flush=True)
        results[str(work)] = {}
        for target in targets_of(work):
            if target.name in missing and works.applies(work, target):
                why = missing[target.name]
                found = {"text": why} if why else _run(work, target, effort, results)
                results[str(work)][target.name] = found
                ours = results[str(work)].get(OURS, {})
                print(report.line(work, target, found, ours), flush=True)
        kept = {"machine": machine, "versions": versions, "results": results}
        path.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"\n{'=' * 30}\n{report.table(results)}")
    drawn = report.plot(results, options.out / "performance.png")
    print(f"{path}" + (f", {options.out / 'performance.png'}" if drawn else "; no plot drawn"))
    return 0


def _run(work: int, target: Target, effort: works.Effort, results: Results) -> dict[str, Any]:
    earlier = {number: found.get(target.name, {}) for number, found in results.items()}
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"      {target.title}: {text}", file=sys.stderr, flush=True)

    try:
        found = works.run(work, target, effort, say, earlier)
    except (OSError, RuntimeError, TimeoutError) as error:
        return {"text": f"failed: {error}", "valid": False}
    return found | {"took_s": round(time.perf_counter() - began, 1)}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = [target.name for target in ALL_TARGETS]
    parser.add_argument(
        "--works",
        type=lambda text: sorted({int(word) for word in text.split(",")} & set(report.TITLES)),
        default=list(report.TITLES),
        help="some only: 1,2,3",
    )
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        help=f"some only, of {','.join(names)}; name presence-server too",
    )
    parser.add_argument("--short", action="store_true", help="shorter runs, smaller crowds")
    parser.add_argument("--seconds", type=float, help="of each run")
    parser.add_argument("--rounds", type=int, help="undisturbed runs, of which the best counts")
    parser.add_argument("--idle-seconds", type=float, help="of work 4")
    parser.add_argument("--out", type=Path, default=Path("var/bench"))
    options = parser.parse_args()
    if unknown := set(options.peers or ()) - set(names):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
