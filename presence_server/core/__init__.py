"""The rules of a board: pure values and functions.

Nothing in this package waits, performs I/O, reads a clock or logs; time is an
argument: seconds for scheduling, integer milliseconds since the epoch for the wire and the store.

Read :mod:`.roster` first: it has the life of a session as a table. :mod:`.events` is what can
happen to a board, :mod:`.effects` what follows, :mod:`.room` the function from one to the other.
"""
