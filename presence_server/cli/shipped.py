"""Files that come with the program: in the package once installed, in the checkout before."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_file(folder: str, name: str) -> Path:
    """The path of a file of ``config/`` or ``deploy/``.

    Args:
        folder: the name of the folder in the checkout.
        name: the name of the file; it need not exist.
    """
    installed = _PACKAGE / f"_{folder}"
    return (installed if installed.is_dir() else _PACKAGE.parent / folder) / name
