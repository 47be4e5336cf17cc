"""The colours of users who chose none (protocol section 1)."""

from __future__ import annotations

import hashlib

PALETTE = (
    "#c2410c",
    "#b45309",
    "#4d7c0f",
    "#15803d",
    "#0f766e",
    "#0e7490",
    "#0369a1",
    "#1d4ed8",
    "#4338ca",
    "#6d28d9",
    "#7e22ce",
    "#a21caf",
    "#be185d",
    "#be123c",
    "#b91c1c",
    "#57534e",
)
"""Colours with at least 4.5:1 contrast against white initials."""


def palette_color(user_id: str) -> str:
    """The colour of a user without one: the same on every server and in every process."""
    digest = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest()
    return PALETTE[digest[0] % len(PALETTE)]
