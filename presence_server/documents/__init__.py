"""Yjs documents: what lasts of them, and the helper process that merges their changes."""
