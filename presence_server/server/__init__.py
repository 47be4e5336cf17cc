"""Puts the parts together; the only package that knows concrete classes."""

from .listening import ListeningAddress
from .run import main, serve

__all__ = ["ListeningAddress", "main", "serve"]
