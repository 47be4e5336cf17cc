"""The browser's client takes the metadata that the server takes, and refuses the rest."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

from presence_server.protocol.decode import decode, read_update
from presence_server.protocol.errors import BadMessage
from presence_server.protocol.messages import PresenceUpdate
from presence_server.protocol.metadata import MAX_METADATA_BYTES, MAX_METADATA_DEPTH
from tests.web.test_client_library import node

VERDICTS = Path(__file__).with_name("metadata_verdicts.mjs")
PIECES = [
    "a", "ü", "漢", "😀", "\ud83d", "\ude00", "\x00", "\x1f", "\x7f", "\u2028", "\\", "\\u0000",
    "\\ud800", '"', "/", "\b", "\ufeff", "\uffff",
]  # fmt: skip
NUMBERS = [0, -0.0, 1, -1, 0.1, 1e21, 1e-7, 5e-324, 1.7e308, 2**53, 123456789012345680000, 1e20]
ROUNDS = 400


def test_the_server_and_the_javascript_client_agree_on_metadata() -> None:
    rng = random.Random(12)
    texts = [json.dumps(metadata(rng)) for _ in range(ROUNDS)]
    done = subprocess.run(
        [node(), str(VERDICTS)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = json.loads(done.stdout)
    wrong = [(text[:200], taken) for text, taken in said if taken != server_takes(text)]
    assert wrong == []
    assert {taken for _, taken in said} == {True, False}


def server_takes(text: str) -> bool:
    message = f'{{"type":"presence:update","payload":{{"metadata":{text}}}}}'
    try:
        update = decode(message.encode())
        assert isinstance(update, PresenceUpdate)
        read_update(update.payload, "b1")
    except BadMessage:
        return False
    return True


def metadata(rng: random.Random) -> dict[str, object]:
    """An object near the limits: of strange texts and numbers, and about as long as it may be."""
    fields: dict[str, object] = {words(rng, 2): value(rng, 3) for _ in range(rng.randrange(4))}
    if rng.random() < 0.2:
        fields["deep"] = nested(MAX_METADATA_DEPTH + rng.randrange(-2, 3))
    if rng.random() < 0.5:
        length = len(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))
        filler = rng.choice(["x", "ü", "\n"])
        room = MAX_METADATA_BYTES - length - len('"fill":"",') + rng.randrange(-3, 4)
        fields["fill"] = filler * (
            max(0, room) // len(json.dumps(filler, ensure_ascii=False).encode()[1:-1])
        )
    return fields


def nested(levels: int) -> object:
    return [nested(levels - 1)] if levels > 1 else {}


def value(rng: random.Random, levels: int) -> object:
    kind = rng.randrange(6 if levels else 4)
    if kind == 0:
        return words(rng, 4)
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind == 2:
        return rng.choice([None, True, False])
    if kind == 3:
        return rng.uniform(-1e6, 1e6)
    if kind == 4:
        return [value(rng, levels - 1) for _ in range(rng.randrange(3))]
    return {words(rng, 2): value(rng, levels - 1) for _ in range(rng.randrange(3))}


def words(rng: random.Random, most: int) -> str:
    # Mostly harmless, so that both verdicts come up.
    pieces = PIECES if rng.random() < 0.3 else PIECES[:4]
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(most + 1)))
