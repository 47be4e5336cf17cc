"""The presence state machine: pure values and functions.

Nothing in this package waits, performs I/O, reads a clock or logs; time is an
argument (seconds for scheduling, integer milliseconds since the epoch on the
wire and in the store).
"""
