"""python-socketio on uvicorn (with uvloop, which ``uvicorn[standard]`` brings)."""

from __future__ import annotations

import sys
from urllib.parse import parse_qs

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi", http_compression=False, cors_allowed_origins="*")
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid: str, environ: dict[str, str]) -> None:
    """A member comes."""
    (board,) = parse_qs(environ["QUERY_STRING"])["board"]
    await sio.save_session(sid, {"board": board})
    await sio.enter_room(sid, board)


@sio.event
async def update(sid: str, data: object) -> None:
    """Relay."""
    session = await sio.get_session(sid)
    await sio.emit("update", data, room=session["board"])


uvicorn.run(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    log_level="warning",
    ws_per_message_deflate=False,
    backlog=4096,
)
