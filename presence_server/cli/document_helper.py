"""``presence-server document-helper``: a part of the server that merges Yjs documents."""

from __future__ import annotations

import click


@click.command(hidden=True)
@click.option("--memory-bytes", type=click.IntRange(min=1), required=True)
@click.option("--call-s", type=click.FloatRange(min=0, min_open=True), required=True)
@click.option("--max-bytes", type=click.IntRange(min=1), required=True)
def document_helper(memory_bytes: int, call_s: float, max_bytes: int) -> None:
    """Merge the documents of a server, which starts this and talks to it by its standard input."""
    from ..documents.helper_main import HelperLimits, main

    main(HelperLimits(memory_bytes=memory_bytes, call_s=call_s, max_bytes=max_bytes))
