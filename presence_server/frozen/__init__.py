"""The duties of a PyInstaller build that a Python package does not have (docs/operations.md).

There are two builds: a folder, and a single file. The single file is a launcher, which
unpacks the folder into a temporary one, starts itself a second time as its own child, and waits:
Python runs in the child. So the process that systemd or a shell started is not the server.

Nothing here imports another part of the server, and ``start`` runs before all of them.
"""

from .form import Form, launcher_pid, own_command, program_path, running_form, unpacked_folder
from .signals import EchoFilter, end_at_next_signal, without_echoes

__all__ = [
    "EchoFilter",
    "Form",
    "end_at_next_signal",
    "launcher_pid",
    "own_command",
    "program_path",
    "running_form",
    "unpacked_folder",
    "without_echoes",
]
