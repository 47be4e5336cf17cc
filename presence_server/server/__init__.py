"""Puts the parts together; the only package that knows concrete classes."""

from .listening import Address
from .run import main, serve

__all__ = ["Address", "main", "serve"]
