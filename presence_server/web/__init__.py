"""Plain HTTP: the demo's pages, the REST API, health and metrics.

This package knows the rest of the server by :mod:`.ports` only.
"""
