"""How far a connection has come towards its end.

A connection moves through its stages in one direction. The closing handshake of
:rfc:`6455` section 7 is in the middle::

    stage    what happens                               next stage
    -------  -----------------------------------------  ----------
    OPEN     the session closes it                      CLOSING
    OPEN     the peer sends a close frame               CLOSING
    OPEN     the peer breaks a rule, or a bug came up   CLOSING
    OPEN     the peer reads too slowly                  CLOSING
    CLOSING  the last byte is written                   SHUT
    OPEN     the input ends, or a ping is not answered  GONE
    CLOSING  the input ends, or CLOSE_TIMEOUT_S passes  GONE
    SHUT     the input ends, or LINGER_S passes         GONE

A write that fails moves nothing by itself: input that came before may hold a close frame.
The wire reads it to its end, and that end is the next event.
"""

from __future__ import annotations

import enum


class Stage(enum.Enum):
    """How far a connection is on the way to its end."""

    OPEN = "open"
    """It reads and writes."""
    CLOSING = "closing"
    """It writes what waits, its close frame last. Input is discarded."""
    SHUT = "shut"
    """Everything is written, and the peer was told so. Input is discarded."""
    GONE = "gone"
    """The wire lets go of the peer, or has done so."""


NEXT_STAGES: dict[Stage, frozenset[Stage]] = {
    Stage.OPEN: frozenset({Stage.CLOSING, Stage.GONE}),
    Stage.CLOSING: frozenset({Stage.SHUT, Stage.GONE}),
    Stage.SHUT: frozenset({Stage.GONE}),
    Stage.GONE: frozenset(),
}
"""The same table for programs: the stages that may follow each stage."""
