"""uWebSockets through socketify: topics, published by the C++ side."""

from __future__ import annotations

import sys
from typing import Any

from socketify import App, AppListenOptions, CompressOptions, OpCode


def on_upgrade(res: Any, req: Any, socket_context: Any) -> None:
    """Remember the board."""
    res.upgrade(
        req.get_header("sec-websocket-key"),
        req.get_header("sec-websocket-protocol"),
        req.get_header("sec-websocket-extensions"),
        socket_context,
        {"board": req.get_parameter(0)},
    )


def on_open(ws: Any) -> None:
    """A member comes."""
    ws.subscribe(ws.get_user_data()["board"])


app = App()


def on_message(ws: Any, message: Any, opcode: OpCode) -> None:
    """Relay to everybody, the sender included."""
    app.publish(ws.get_user_data()["board"], message, OpCode.TEXT)


app.ws(
    "/ws/boards/:board",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 65536,
        "max_backpressure": 1048576,
        "idle_timeout": 120,
        "upgrade": on_upgrade,
        "open": on_open,
        "message": on_message,
    },
)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"))
app.run()
