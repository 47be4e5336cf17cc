"""Results as text, with the ratio to each peer first, and as a plot."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import ALL_TARGETS, OURS, TARGETS, Target

TITLES = {
    1: "one board of 100, one status update in flight",
    2: "one board of 100, 32 status updates in flight",
    3: "boards of 100, everybody moving 20 times a second, p99 to the last within 150 ms",
    4: "idle connections, a heartbeat each every 30 s",
    5: "a crowd joins 50 boards at once, durable on SQLite, and comes back",
    6: "cost per delivery as boards grow, and as there are more of them",
    7: "a member that never reads: p99 of the others with it by p99 without it",
    8: "Yjs: a document of 100 editors, one change in flight",
    9: "Yjs: a document of 100 editors, 32 changes in flight",
    10: "Yjs: 100 editors, 5 changes a second each: cores of the server",
    11: "Yjs: 100 clients, 5 awareness states a second each: cores of the server",
    12: "Yjs: 100 stock providers of y-websocket, 20 cursors a second each: cores of the server",
    13: "Yjs: a document of 1.5 MB to 100 joiners at once: seconds",
    14: "Yjs: the check of a small update",
    15: "full boards, one in ten people moving: p99 beside a document of 10 MB by p99 without it",
}
LESS_IS_MORE = {4, 7, 10, 11, 12, 13, 14, 15}
_PLOTTED = {
    1: "deliveries/s, 1 in flight",
    2: "deliveries/s, 32 in flight",
    3: "full boards, all moving",
    4: "KiB per idle connection",
}


def machine() -> dict[str, str]:
    """What it ran on."""
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "cores": f"{os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": f"load {os.getloadavg()[0]:.2f} when it began, niceness {os.nice(0)}",
    }


def ratio(work: int, ours: Mapping[str, Any], peer: Mapping[str, Any]) -> float | None:
    """How many times better this server is; None where that cannot be said."""
    mine, theirs = ours.get("headline"), peer.get("headline")
    if not mine or not theirs:
        return None
    return float(theirs / mine if work in LESS_IS_MORE else mine / theirs)


def line(work: int, target: Target, found: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """One server's line of one work."""
    times = ratio(work, ours, found) if target.name != OURS else None
    shown = "" if times is None else f"{times:5.2f} ×"
    return f"  {target.title:27} {shown:>8}  {found['text']}"


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """All works; the column of ratios says how many times this server's figure is better."""
    lines = []
    for work, title in TITLES.items():
        found = (
            {t: results[str(work)][t.name] for t in ALL_TARGETS if t.name in results[str(work)]}
            if str(work) in results
            else {}
        )
        if not found:
            continue
        ours = results[str(work)].get(OURS, {})
        lines += [f"Work {work}: {title}"]
        lines += [line(work, target, result, ours) for target, result in found.items()]
        lines.append("")
    return "\n".join(lines)


def plot(results: Mapping[str, Mapping[str, Any]], path: Path) -> bool:
    """Bars of works 1 to 4; False where there is no matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - it comes with the extra, or not
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    works = [work for work in _PLOTTED if str(work) in results]
    if not works:
        return False
    figure, axes = plt.subplots(
        1, len(works), figsize=(3.1 * len(works) + 1.6, 3.4), sharey=True, squeeze=False
    )
    targets = list(reversed(TARGETS))
    for axis, work in zip(axes[0], works, strict=True):
        found = results[str(work)]
        values = [found.get(t.name, {}).get("headline") for t in targets]
        colors = ["#0b7a75" if t.name == OURS else "#b8bfc6" for t in targets]
        bars = axis.barh([t.title for t in targets], [v or 0.0 for v in values], color=colors)
        axis.bar_label(bars, labels=[_short(v) for v in values], padding=3, fontsize=8)
        axis.set_title(_PLOTTED[work], fontsize=9)
        axis.margins(x=0.25)
        axis.set_xticks([])
        axis.tick_params(length=0, labelsize=8)
        axis.spines[:].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return True


def _short(value: float | None) -> str:
    if value is None:
        return "not measured"
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    if value >= 1000:
        return f"{value / 1000:.3g} k"
    return f"{value:.3g}" if value else "none"
