"""Clients and their tokens, and the sessions of rooms that live on their connections."""
