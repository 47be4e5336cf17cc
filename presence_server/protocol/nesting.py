"""How deep JSON from peers may be nested. The versions of Python differ in what they can read."""

from __future__ import annotations

import re

MAX_NESTING = 64
"""Levels of objects and arrays in any JSON text of a peer."""

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[][{}]")


def is_too_deep(text: bytes) -> bool:
    """Whether a JSON text is nested more than :data:`MAX_NESTING` levels deep.

    Args:
        text: valid JSON. Of any other text the result means nothing.
    """
    if text.count(b"[") + text.count(b"{") <= MAX_NESTING:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_TEXT.sub(b"", text)):
        if bracket in b"[{":
            depth += 1
            if depth > MAX_NESTING:
                return True
        else:
            depth -= 1
    return False
