"""A presence server: who is on this board right now, live."""

__version__ = "0.1.0"
