"""Look for bytes that make the server raise: coverage-guided with atheris, where it is installed.

The targets are in ``tests/hostile/stack.py``: the wire decoder, the request head, and whole
connections. Without atheris (``pip install '.[fuzz]'``) inputs are mutations of the seeds and
of each other, by chance. An input that raises is kept in the corpus folder, as
``crash-...``; run it again with ``--input FILE``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

import structlog

SLOWEST_S = 10
"""An input that takes longer counts as one that hangs."""
LONGEST = 2000


def by_coverage(corpus: Path, seconds: float) -> None:
    """Let atheris mutate what reaches new code; does not return."""
    import atheris  # noqa: PLC0415 - an extra, which may not be there

    # What is imported in here counts what it reaches; so nothing of it is imported before.
    with atheris.instrument_imports(include=["presence_server"]):
        from tests.hostile.stack import one_input, seeds  # noqa: PLC0415

    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST_S}",
        f"-artifact_prefix={corpus}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


def by_chance(corpus: Path, seconds: float, seed: int) -> None:
    """Mutate without a guide; exits with 1 at the first input that raises."""
    from tests.hostile.stack import one_input, seeds  # noqa: PLC0415

    chance = random.Random(seed)
    pool = seeds() + [path.read_bytes() for path in corpus.iterdir() if path.is_file()]
    stop_at, count = time.monotonic() + seconds, 0
    while time.monotonic() < stop_at:
        data = mutate(chance, chance.choice(pool), chance.choice(pool))
        try:
            one_input(data)
        except Exception:
            name = corpus / f"crash-{hashlib.sha1(data).hexdigest()}"
            name.write_bytes(data)
            print(f"raised after {count} inputs; kept as {name}", file=sys.stderr)
            raise
        count += 1
        if chance.random() < 0.001 and len(pool) < 5000:
            pool.append(data)
    print(f"{count} inputs, none of which raised (seed {seed})")


def mutate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A few changes of the usual kinds."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(changed))
        match chance.randint(0, 4):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << chance.randint(0, 7)
            case 1:
                del changed[at : at + chance.randint(1, 8)]
            case 2:
                changed[at:at] = chance.randbytes(chance.randint(1, 8))
            case 3:
                start = chance.randint(0, len(other))
                changed[at:at] = other[start : start + chance.randint(1, 60)]
            case _ if changed:
                changed[at % len(changed)] = chance.choice(b'\x00\xff\x7f\x80"\\{}[],:09eE-')
    return bytes(changed[:LONGEST])


def main() -> None:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--engine", choices=["auto", "atheris", "chance"], default="auto")
    parser.add_argument("--corpus", type=Path, help="kept from run to run; else a temporary folder")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--input", type=Path, help="run this one input and nothing else")
    options = parser.parse_args()
    # A million lines about sessions that came and went would say nothing.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.input is not None:
        from tests.hostile.stack import one_input  # noqa: PLC0415

        one_input(options.input.read_bytes())
        return
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="presence-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    engine = options.engine
    if engine == "auto":
        engine = "atheris" if importlib.util.find_spec("atheris") else "chance"
    print(f"fuzzing with {engine} for {options.minutes:g} minutes; corpus in {corpus}", flush=True)
    if engine == "atheris":
        by_coverage(corpus, options.minutes * 60)
    else:
        by_chance(corpus, options.minutes * 60, options.seed)


if __name__ == "__main__":
    main()
