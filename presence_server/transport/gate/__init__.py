"""A connection from its first byte to the decision who serves it."""
