"""Bytes: sockets and streams, WebSocket connections, their outboxes and deadlines."""
