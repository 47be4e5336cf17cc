"""Yjs as far as a server must understand it: messages, updates, state vectors, awareness. Pure."""
