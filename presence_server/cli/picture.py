"""Renders a board as text: one screen, or one line for each event. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from ..client import ClientEvent, Disconnected, PresenceClient
from ..protocol.messages import (
    BoardJoined,
    BoardQueued,
    BoardWatching,
    Error,
    PresenceChanged,
    UserJoined,
    UserLeft,
    UserObject,
    UserUpdated,
)

CLEAR = "\x1b[H\x1b[2J"
_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
_DOTS = {"online": "\x1b[32m●", "idle": "\x1b[33m●", "away": "\x1b[90m●"}
_NAME_WIDTH = 32


def line_of(event: ClientEvent) -> str | None:
    """Describe an event in one line; None for events too frequent to read."""
    match event:
        case BoardJoined(payload=joined):
            names = ", ".join(sorted(_clean(user.user_id) for user in joined.current_users))
            how = "resumed" if joined.resumed else "joined"
            return _line(joined.server_time, f"{how}, {len(joined.current_users)} present: {names}")
        case BoardQueued(payload=queued):
            return f"queued: position {queued.position} of {queued.queue_length}"
        case BoardWatching(payload=watching):
            names = ", ".join(sorted(_clean(user.user_id) for user in watching.current_users))
            return f"watching, {len(watching.current_users)} present: {names}"
        case UserJoined(payload=arrival):
            user = arrival.user
            text = f"+ {_clean(user.user_id)} ({_clean(user.display_name)})"
            return _line(arrival.timestamp, text)
        case UserLeft(payload=leave):
            return _line(leave.timestamp, f"- {_clean(leave.user_id)} ({leave.reason})")
        case UserUpdated(payload=update):
            text = f"  {_clean(update.user.user_id)} is now {_clean(update.user.display_name)}"
            return _line(update.timestamp, text)
        case PresenceChanged(payload=change):
            state = change.status if change.connected else f"{change.status}, reconnecting"
            return _line(change.timestamp, f"  {_clean(change.user_id)} is {state}")
        case Error(payload=error):
            return f"error: {error.code}: {_clean(error.message)}"
        case Disconnected():
            return f"lost: {_clean(event.reason)}; back in {event.retry_in_s:.1f} s"
        case _:
            return None


def screen(client: PresenceClient) -> str:
    """List the users of the board, one a line: online first, then idle, then away."""
    title = f"{_clean(client.board_id)}: {_headline(client)}"
    order = list(_DOTS)
    users = sorted(
        client.users.values(),
        key=lambda user: (order.index(user.status), user.display_name.casefold(), user.user_id),
    )
    return "\n".join([title, "", *map(_row, users), ""])


def _headline(client: PresenceClient) -> str:
    match client.state:
        case "joined":
            return f"{len(client.users)} present"
        case "queued":
            seated = f", {len(client.users)} present" if client.users else ""
            return f"the board is full{seated}; you are number {client.position} in the queue"
        case "connecting":
            return f"reconnecting, {len(client.users)} were present"
        case "closed":
            return "closed"


def _row(user: UserObject) -> str:
    name = _clean(user.display_name)[:_NAME_WIDTH]
    dot = _DOTS[user.status] if user.connected else "\x1b[31m○"
    cursor = user.cursor
    where = "" if cursor is None else f"{cursor.x:.0f}, {cursor.y:.0f}"
    state = user.status if user.connected else "reconnecting"
    return f"{dot}{_RESET} {name:<{_NAME_WIDTH}} {state:<12} {_DIM}{where}{_RESET}"


def _line(timestamp_ms: int, text: str) -> str:
    return f"{datetime.fromtimestamp(timestamp_ms / 1000, UTC):%H:%M:%S} {text}"


def _clean(text: str) -> str:
    """Remove characters that control the terminal: the server may not be ours."""
    return "".join(character if character.isprintable() else "�" for character in text)
