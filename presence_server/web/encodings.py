"""Content codings of HTTP: which one a client wants, and what a file is in each of them."""

from __future__ import annotations

import gzip
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

IDENTITY = "identity"
"""The name of no coding (RFC 9110 section 12.5.3)."""

_ALIASES = {"x-gzip": "gzip"}
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_GZIP_LEVEL = 9
_BROTLI_QUALITY = 9
"""The best one, 11, takes twenty times as long for a few bytes less."""


def choose(values: Sequence[str], available: Sequence[str]) -> str | None:
    """Choose the coding of an answer (RFC 9110 section 12.5.3).

    Args:
        values: the values of `Accept-Encoding`, in order.
        available: the codings that there are beside no coding, the best one first.

    Returns:
        The coding; `identity` for none; None if the client takes neither of them.
    """
    if not values:
        return IDENTITY
    weights = dict(_weights(",".join(values)))
    others = weights.get("*", 0.0)
    chosen, weight = None, 0.0
    for coding in available:
        if (own := weights.get(coding, others)) > weight:
            chosen, weight = coding, own
    # Without a word about it, a client takes an answer without a coding, too.
    plain = weights.get(IDENTITY)
    if chosen is not None and (plain is None or weight >= plain):
        return chosen
    return None if plain == 0 or (plain is None and weights.get("*") == 0) else IDENTITY


def _weights(header: str) -> list[tuple[str, float]]:
    """The codings of `Accept-Encoding`; those with a malformed weight are left out."""
    found = []
    for item in header.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        weight = "1"
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = value.strip()
        if coding and _WEIGHT.fullmatch(weight):
            found.append((_ALIASES.get(coding, coding), float(weight)))
    return found


def compressors() -> Mapping[str, Callable[[bytes], bytes]]:
    """The codings that this Python can make, the best one first; Brotli needs a library."""
    found: dict[str, Callable[[bytes], bytes]] = {}
    if (brotli := _brotli()) is not None:
        found["br"] = lambda body: bytes(brotli(body, quality=_BROTLI_QUALITY))
    # No time of making in it: the same file gives the same bytes in every process.
    found["gzip"] = lambda body: gzip.compress(body, _GZIP_LEVEL, mtime=0)
    return found


def _brotli() -> Callable[..., bytes] | None:
    for name in ("brotli", "brotlicffi"):
        with suppress(ImportError):
            library = importlib.import_module(name)
            return cast("Callable[..., bytes]", library.compress)
    return None
