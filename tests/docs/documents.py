"""Takes Markdown apart for the tests of what documents say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

_VARIABLE = re.compile(r"[A-Z_]+=")


class Document:
    """One page under ``docs/``."""

    def __init__(self, name: str) -> None:
        self.path = ROOT / "docs" / name
        self.text = self.path.read_text(encoding="utf-8")
        self.prose = _FENCE.sub("", self.text)

    def code(self, language: str) -> list[str]:
        """The fenced blocks of a language."""
        return [m["body"] for m in _FENCE.finditer(self.text) if m["info"].strip() == language]

    def commands(self) -> list[list[str]]:
        """Every command of every shell block, as words, without the variables before it."""
        text = "".join(self.code("sh")).replace("\\\n", " ")
        lines = text.replace(" |\n", "\n").splitlines()
        commands = [shlex.split(line, comments=True) for line in lines]
        return [list(dropwhile(_VARIABLE.match, words)) for words in commands if words]

    def backticked(self) -> set[str]:
        """Everything between backticks in the prose."""
        return set(re.findall(r"`([^`\n]+)`", self.prose))

    def table(self, *header: str) -> list[list[str]]:
        """The rows of the one table whose header begins like this."""
        (found,) = [rows[1:] for rows in self._tables() if tuple(rows[0][: len(header)]) == header]
        return found

    def _tables(self) -> Iterator[list[list[str]]]:
        rows: list[list[str]] = []
        for line in [*self.prose.splitlines(), ""]:
            if line.startswith("|"):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                if not set(cells[0]) <= {"-"}:
                    rows.append(cells)
            elif rows:
                yield rows
                rows = []
