"""Creates all parts and runs them; the only package that knows concrete classes."""

from .lifetimes import serve
from .listening import ListeningAddress
from .process import main

__all__ = ["ListeningAddress", "main", "serve"]
