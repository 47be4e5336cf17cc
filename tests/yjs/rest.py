"""The document of a board over HTTP."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import trio


async def document(url: str, board_id: str, token: str = "") -> bytes | None:
    """The document as one update; None if there is none."""
    status, body = await trio.to_thread.run_sync(_ask, "GET", url, board_id, token)
    assert status in (200, 404), body
    return body if status == 200 else None


async def delete_document(url: str, board_id: str, admin_token: str) -> int:
    """Delete the document; the status of the answer."""
    status, _ = await trio.to_thread.run_sync(_ask, "DELETE", url, board_id, admin_token)
    return status


def _ask(method: str, url: str, board_id: str, token: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, f"/api/boards/{board_id}/document", headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
