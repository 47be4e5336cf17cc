"""Creates all parts and runs them; the only package that knows concrete classes."""

from .check import check
from .lifetimes import serve
from .listening import ListeningAddress
from .process import main

__all__ = ["ListeningAddress", "check", "main", "serve"]
