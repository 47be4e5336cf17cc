"""The presence protocol: messages, codes and rules, as pure values and functions.

Nothing in this package waits, performs I/O, reads a clock or logs; time is an argument.
"""
