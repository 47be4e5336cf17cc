"""Look for updates that pass the server's check and that Yrs or Yjs does not take.

Updates of editors and of every kind of content are changed by chance. Those that pass the check
and follow on a document are applied to a copy of it: by Yrs here, and by Yjs in Node.js, if
``npm ci`` was run in ``.ci/yjs``. Both must take each without an exception, with nothing pending,
and reach the same clocks. Answers with holes are changed, too: of each the part that follows on a
document must follow on it. Run it with a seed that was printed to see the same updates again.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pycrdt

from benchmarks.fuzz import mutate
from presence_server.core.yjs.following import what_follows
from presence_server.core.yjs.update import EMPTY_UPDATE, check
from presence_server.core.yjs.varint import DamagedBytes, write_bytes, write_text
from presence_server.core.yjs.vector import StateVector
from tests.core.yjs.updates import garbage, item, update

ROUND = 4000
"""Updates that pass the check, in each round."""
HOLEY_ROUND = 2000
"""Answers with holes of which something follows, in each round."""
NODE_MODULES = Path(__file__).parents[1] / ".ci" / "yjs"
CONTENTS = [
    (1, b"\x03"),
    (3, write_bytes(b"\0\1")),
    (4, write_text("hé😀")),
    (5, write_text('{"a":1}')),
    (6, write_text("bold") + write_text("true")),
    (7, b"\0"),
    (7, b"\x03" + write_text("p")),
    (7, b"\x06"),
    (8, b"\x02\x7d\x05\x76\x01\x01a\x75\x01\x78"),
    (9, write_text("guid") + b"\x76\x01\x01g\x79"),
]


class Editor:
    """A copy of the document that somebody edits."""

    def __init__(self, client: int, base: bytes | None = None) -> None:
        self.doc = pycrdt.Doc(client_id=client)
        self.text = self.doc.get("getText", type=pycrdt.Text)
        self.map = self.doc.get("getMap", type=pycrdt.Map)
        self.array = self.doc.get("getArray", type=pycrdt.Array)
        if base is not None:
            self.doc.apply_update(base)
        self.updates: list[bytes] = []
        self._watch = self.doc.observe(lambda event: self.updates.append(event.update))

    def edit(self, chance: random.Random) -> None:
        """Change something."""
        match chance.randint(0, 6):
            case 0 | 1:
                self.text.insert(0, chance.choice(["a", "bc", "hello"]))
            case 2 if len(self.text) > 3:
                del self.text[0:1]
            case 3 if len(self.text):
                self.text.format(0, len(self.text), {"bold": chance.choice([True, None])})
            case 4:
                self.map[chance.choice("abc")] = chance.choice([1, None, "x", {"a": [1.5]}, b"x"])
            case 5:
                nested = [pycrdt.Map({"x": 1}), pycrdt.Text("hi"), True]
                self.array.append(chance.choice(nested))
            case 6 if len(self.array):
                del self.array[0]


def document(chance: random.Random) -> bytes:
    """A document of three clients."""
    editors = [Editor(client) for client in (1, 2, 3)]
    for _ in range(120):
        editor = chance.choice(editors)
        editor.updates.clear()
        editor.edit(chance)
        for data in list(editor.updates):
            for other in editors:
                if other is not editor:
                    other.doc.apply_update(data)
    return editors[0].doc.get_update()


def seeds(base: bytes, ends: dict[int, int], chance: random.Random) -> list[bytes]:
    """Updates that follow on the document."""
    found: list[bytes] = []
    for client in (1, 2, 3, 77, 78) * 6:
        editor = Editor(client, base)
        editor.updates.clear()
        with editor.doc.transaction():
            for _ in range(chance.randint(1, 4)):
                editor.edit(chance)
        found += editor.updates
    left, right = (1, ends[1] - 1), (2, ends[2] - 1)
    for kind, content in CONTENTS:
        found.append(update((99, 0, [item(kind, content, parent="getText")])))
        found.append(update((99, 0, [item(kind, content, parent="getMap", key="k")])))
        structs = [item(kind, content, left=left, right=right), garbage(3)]
        found.append(update((99, 0, structs), deletes=((2, [(0, 2)]),)))
    return found


def holey(base: bytes, chance: random.Random) -> list[bytes]:
    """Answers of clients that lack some changes of others and of their own."""
    found: list[bytes] = []
    for _ in range(12):
        editors = [Editor(client, base) for client in (1, 77, 78)]
        for editor in editors:
            editor.updates.clear()
        for _ in range(20):
            editor = chance.choice(editors)
            editor.edit(chance)
            for other in editors:
                if other is not editor and editor.updates and chance.random() < 0.7:
                    other.doc.apply_update(editor.updates[-1])
        updates = [update for editor in editors for update in editor.updates]
        kept = [update for update in updates if chance.random() < 0.6]
        if kept:
            found.append(pycrdt.merge_updates(*kept))
    return found


def one_round_with_holes(seed: int) -> int:
    """Take the part that follows of many answers; return of how many something followed.

    Raises:
        SystemExit: the part of one does not follow, or Yrs does not take it.
    """
    chance = random.Random(seed)
    base = document(chance)
    vectors = {base: StateVector.read(pycrdt.get_state(base)), EMPTY_UPDATE: StateVector()}
    pool = [*holey(base, chance), *seeds(base, vectors[base].clocks, chance)]
    passed: dict[bytes, list[bytes]] = {known: [] for known in vectors}
    clocks: dict[bytes, list[dict[int, int]]] = {known: [] for known in vectors}
    while sum(map(len, passed.values())) < HOLEY_ROUND:
        data = chance.choice(pool)
        if chance.random() < 0.9:
            data = mutate(chance, data, chance.choice(pool))
        known = chance.choice([base, base, base, EMPTY_UPDATE])
        vector = vectors[known]
        try:
            following = what_follows(data, vector)
        except DamagedBytes:
            continue
        try:
            shape = check(following.update)
        except DamagedBytes as error:
            # The walk leaves the order of structs of several clients to the check.
            if "wait for each other" in str(error):
                continue
            raise SystemExit(f"no update follows of {data.hex()}: {error} (seed {seed})") from None
        if shape.has_holes or not vector.fits(shape):
            raise SystemExit(f"what follows does not, of {data.hex()} (seed {seed})")
        if shape.is_odd or following.update == EMPTY_UPDATE:
            continue
        clocks[known].append(by_yrs(known, following.update, vector, seed))
        passed[known].append(following.update)
    for known, updates in passed.items():
        by_yjs(known, updates, clocks[known], seed)
    return sum(map(len, passed.values()))


def one_round(seed: int) -> int:
    """Check one document with many updates; return how many passed the check.

    Raises:
        SystemExit: Yrs or Yjs does not take one of them.
    """
    chance = random.Random(seed)
    base = document(chance)
    vector = StateVector.read(pycrdt.get_state(base))
    pool = seeds(base, vector.clocks, chance)
    passed: list[bytes] = []
    clocks: list[dict[int, int]] = []
    while len(passed) < ROUND:
        data = mutate(chance, chance.choice(pool), chance.choice(pool))
        try:
            shape = check(data)
        except DamagedBytes:
            continue
        if shape.is_odd or not vector.fits(shape):
            continue
        passed.append(data)
        clocks.append(by_yrs(base, data, vector, seed))
    by_yjs(base, passed, clocks, seed)
    return len(passed)


def by_yrs(base: bytes, data: bytes, vector: StateVector, seed: int) -> dict[int, int]:
    """Apply an update to a copy; return the clocks that it reaches."""
    doc = pycrdt.Doc()
    doc.apply_update(base)
    try:
        doc.apply_update(data)
    except BaseException as error:  # A panic of Rust is no Exception.
        raise SystemExit(f"Yrs raises {error!r} for {data.hex()} (seed {seed})") from None
    expected = StateVector(dict(vector.clocks))
    expected.add(check(data))
    reached = StateVector.read(doc.get_state()).clocks
    if reached != {client: clock for client, clock in expected.clocks.items() if clock}:
        raise SystemExit(f"Yrs has other clocks after {data.hex()} (seed {seed})")
    return reached


def by_yjs(base: bytes, passed: list[bytes], clocks: list[dict[int, int]], seed: int) -> None:
    """Have Yjs apply the same updates."""
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "node_modules" / "yjs").is_dir():
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        texts = [base64.b64encode(data).decode() for data in passed]
        known = base64.b64encode(base).decode()
        json.dump({"base": known, "updates": texts, "clocks": clocks}, file)
        file.flush()
        script = Path(__file__).with_suffix(".mjs")
        done = subprocess.run([node, script, NODE_MODULES, file.name], text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Yjs takes them otherwise (seed {seed})")


def main() -> None:
    """Run rounds until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    stop_at, count = time.monotonic() + options.minutes * 60, 0
    while True:
        count += one_round(seed) + one_round_with_holes(seed)
        if time.monotonic() > stop_at:
            break
        seed += 1
    print(f"{count} updates passed the check, and Yrs and Yjs took each (last seed {seed})")


if __name__ == "__main__":
    sys.exit(main())
